"""How far a read has come: a bar in a terminal, a line in the log every few seconds elsewhere."""

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
    """Shows people how far a read has come."""

    seconds_between_lines: float = Field(
        default=10, ge=0, description="Where there is no terminal: seconds between two lines in the log."
    )

    def setup_for_execution(self, context: InitResourceContext) -> None:
        """Finds the terminal before Dagster redirects standard error for the first step."""
        terminal()

    @contextmanager
    def shown(self, resource: str, log: Log) -> Iterator["Watcher"]:
        """Watches one read of `resource` while the body runs; `log` takes lines."""
        console = terminal()
        with ExitStack() as stack:
            watcher = Watcher(resource, log, self.seconds_between_lines)
            if console:
                with suppress(Exception):  # a terminal that cannot be written to fails no run
                    watcher = stack.enter_context(_bar(console, resource, log))
            yield watcher


class Watcher:
    """Writes a line about a read every few seconds."""

    def __init__(self, resource: str, log: Log, seconds_between_lines: float) -> None:
        """The read begins now."""
        self._resource = resource
        self._log = log
        self._seconds_between_updates = seconds_between_lines
        self._began = self._updated = time.monotonic()
        self._waits = 0

    def wait(self, sentence: str) -> None:
        """Logs that the read has to wait."""
        self._waits += 1
        self._log(sentence)

    def page(self, progress: Progress) -> None:
        """Takes note of one more page. Never raises."""
        now = time.monotonic()
        if now - self._updated >= self._seconds_between_updates:
            self._updated = now
            with suppress(Exception):  # what merely watches fails no run
                self._show(progress, described(progress, now - self._began, self._waits))

    def _show(self, progress: Progress, description: str) -> None:
        self._log(f"{self._resource}: {description}")


class BarWatcher(Watcher):
    """Moves a bar in a terminal."""

    def __init__(self, resource: str, log: Log, bar: Bar) -> None:
        """The read begins now."""
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
    """A bar that disappears at the end. It is drawn as pages come in: no thread has to be kept from log lines."""
    columns = TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.fields[described]}")
    bar = Bar(*columns, console=console, transient=True, auto_refresh=False, redirect_stdout=False)
    bar.start()
    try:
        yield BarWatcher(resource, log, bar)
    finally:
        with suppress(Exception):  # the terminal may be gone
            bar.stop()


def described(progress: Progress, seconds: float, waits: int) -> str:
    """A read of `seconds` so far: pages, records, rate, time left, retries, waits."""
    rate = progress.records / seconds if seconds > 0 else 0
    parts = [
        f"page {_of(progress.pages, progress.pages_expected)}",
        f"{_of(progress.records, progress.records_expected)} records",
        f"{rate:,.0f} a second",
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
