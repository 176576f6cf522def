"""The progress of a read: a bar in a terminal, otherwise a log line every few seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from dagster import ConfigurableResource, InitResourceContext
from pydantic import Field
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from crm_assets.console.terminal import terminal
from crm_assets.source.reading.progress import Progress

SECONDS_BETWEEN_FRAMES = 0.1

Log = Callable[[str], object]


class ReadProgress(ConfigurableResource):  # type: ignore[type-arg]
    """Shows the progress of reads."""

    seconds_between_lines: float = Field(
        default=10, ge=0, description="Without a terminal: seconds between two log lines."
    )

    def setup_for_execution(self, context: InitResourceContext) -> None:
        """Looks for the terminal before Dagster redirects standard error for the first step."""
        terminal()

    @contextmanager
    def shown(self, resource: str, log: Log) -> Iterator["Watcher"]:
        """Watches one read of `resource` while the body runs. `log` is called with each line."""
        console = terminal()
        with ExitStack() as stack:
            watcher = Watcher(resource, log, self.seconds_between_lines)
            if console:
                with suppress(Exception):  # progress output must never fail a run
                    watcher = stack.enter_context(_bar(console, resource, log))
            yield watcher


class Watcher:
    """Logs the progress of a read every few seconds."""

    def __init__(self, resource: str, log: Log, seconds_between_lines: float) -> None:
        """Starts the clock of the read."""
        self._resource = resource
        self._log = log
        self._seconds_between_updates = seconds_between_lines
        self._began = self._updated = time.monotonic()
        self._waits = 0

    def wait(self, sentence: str) -> None:
        """Logs a wait of the read."""
        self._waits += 1
        self._log(sentence)

    def page(self, progress: Progress) -> None:
        """Shows the progress after a page. Never raises."""
        now = time.monotonic()
        if now - self._updated >= self._seconds_between_updates:
            self._updated = now
            with suppress(Exception):  # progress output must never fail a run
                self._show(progress, described(progress, now - self._began, self._waits))

    def _show(self, progress: Progress, description: str) -> None:
        self._log(f"{self._resource}: {description}")


class BarWatcher(Watcher):
    """Shows the progress of a read as a bar in a terminal."""

    def __init__(self, resource: str, log: Log, bar: Bar) -> None:
        """Starts the clock of the read."""
        super().__init__(resource, log, SECONDS_BETWEEN_FRAMES)
        self._bar = bar
        self._task = bar.add_task(resource, total=None, described="")

    def _show(self, progress: Progress, description: str) -> None:
        self._bar.update(
            self._task,
            completed=progress.records,
            total=progress.records_expected,
            described=description,
            refresh=True,
        )


@contextmanager
def _bar(console: Console, resource: str, log: Log) -> Iterator[BarWatcher]:
    """A bar that disappears at the end. It is redrawn after each page: a thread could disturb log lines."""
    columns = TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.fields[described]}")
    bar = Bar(*columns, console=console, transient=True, auto_refresh=False, redirect_stdout=False)
    bar.start()
    try:
        yield BarWatcher(resource, log, bar)
    finally:
        with suppress(Exception):  # the terminal may be gone
            bar.stop()


def described(progress: Progress, seconds: float, waits: int) -> str:
    """The progress of a read after `seconds`: pages, records, rate, time left, retries, waits."""
    rate = progress.records / seconds if seconds > 0 else 0
    parts = [
        f"page {_of(progress.pages, progress.pages_expected)}",
        f"{_of(progress.records, progress.records_expected)} records",
        f"{rate:,.0f} per second",
    ]
    if progress.records_expected is not None and rate > 0:
        parts.append(f"{max(0, progress.records_expected - progress.records) / rate:,.0f} s left")
    if progress.retries:
        parts.append(f"retries: {progress.retries:,}")
    if waits:
        parts.append(f"waits: {waits:,}")
    return ", ".join(parts)


def _of(count: int, expected: int | None) -> str:
    # A list can grow while it is read.
    return f"{count:,}" if expected is None else f"{count:,} of {max(count, expected):,}"
