"""The progress of a read: a line that is written over in a terminal, otherwise a log line every few seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from dagster import ConfigurableResource, InitResourceContext
from pydantic import Field

from crm_assets.console.logger import terminal
from crm_assets.source.reading.report import Progress

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
        if not console:
            yield Watcher(resource, log, log, self.seconds_between_lines)
            return
        try:
            yield Watcher(resource, log, console.show_progress, SECONDS_BETWEEN_FRAMES)
        finally:
            with suppress(Exception):  # the terminal may be gone
                console.show_progress("")


class Watcher:
    """Shows the progress of a read every few seconds."""

    def __init__(self, resource: str, log: Log, show: Log, seconds_between: float) -> None:
        """Starts the clock of the read."""
        self._resource, self._log, self._show = resource, log, show
        self._seconds_between = seconds_between
        self._began = self._shown = time.monotonic()
        self._waits = 0

    def wait(self, sentence: str) -> None:
        """Logs a wait of the read."""
        self._waits += 1
        self._log(sentence)

    def page(self, progress: Progress) -> None:
        """Shows the progress after a page. Never raises."""
        now = time.monotonic()
        if now - self._shown >= self._seconds_between:
            self._shown = now
            with suppress(Exception):  # progress output must never fail a run
                self._show(f"{self._resource}: {described(progress, now - self._began, self._waits)}")


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
