"""Terminal output of a run: log lines, and the progress of reads.

The console logger has a short line for what was read, loaded, built and checked, and for each failure. Dagster uses it
if a run's configuration has `loggers: {console: {}}`, as that of all jobs here does. Otherwise Dagster uses its own
logger, which receives the same messages. The progress is a line that is written over in a terminal, otherwise a log
line every few seconds.
"""

import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import TextIO

from dagster import ConfigurableResource, DagsterEvent, DagsterEventType, InitLoggerContext, InitResourceContext, logger
from pydantic import Field

from crm_assets.dagster_internals import process_ended, was_interrupted
from crm_assets.masking import masked
from crm_assets.source.reading.report import Progress

CONSOLE = "console"
"""The logger's name in a run's configuration."""

TIME = "%H:%M:%S"

PROCESS_ENDED = "its process was killed, or crashed"


def _failure(event: DagsterEvent) -> str:
    data = event.step_failure_data
    described = data.user_failure_data and data.user_failure_data.description
    reason = described or (PROCESS_ENDED if process_ended(event) else data.error_display_string)
    reason = "the run was interrupted" if was_interrupted(event) else reason
    return f"{event.step_key} failed: {reason}"


def _retry(event: DagsterEvent) -> str:
    data = event.step_retry_data
    error = data.error.cause or data.error if data.error else None
    _, _, reason = error.message.strip().partition(": ") if error else ("", "", "")  # after the exception's class
    reason = PROCESS_ENDED if process_ended(event) else reason
    return f"{event.step_key} failed and is retried in {data.seconds_to_wait or 0:.0f} s: {reason}"


EVENT_LINES: Mapping[DagsterEventType, Callable[[DagsterEvent], str]] = {
    DagsterEventType.STEP_FAILURE: _failure,
    DagsterEventType.STEP_UP_FOR_RETRY: _retry,
    DagsterEventType.RUN_SUCCESS: lambda _: "Run succeeded",
    DagsterEventType.RUN_FAILURE: lambda event: f"Run failed: {event.message}",
    DagsterEventType.RUN_CANCELED: lambda _: "Run cancelled",
}
"""The events that are shown. The UI has all others."""


COLOURS: Mapping[int, str] = {logging.WARNING: "\x1b[33m", logging.ERROR: "\x1b[31m"}
CLEAR_LINE, NO_COLOUR = "\r\x1b[K", "\x1b[0m"


class Terminal:
    """Log lines, and below them a line for the progress, which is written over."""

    def __init__(self, file: TextIO) -> None:
        """Shows no progress yet."""
        self._file = file
        self._progress = ""

    def print(self, line: str, level: int = logging.INFO) -> None:
        """Writes a line, in the colour of its level."""
        if level in COLOURS and not os.environ.get("NO_COLOR"):
            line = f"{COLOURS[level]}{line}{NO_COLOUR}"
        self._file.write(f"{CLEAR_LINE}{line}\n{self._progress}")
        self._file.flush()

    def show_progress(self, text: str) -> None:
        """Writes over the last progress; an empty text removes it."""
        self._progress = text[: os.get_terminal_size(self._file.fileno()).columns - 1]
        self._file.write(f"{CLEAR_LINE}{self._progress}")
        self._file.flush()


@cache
def terminal() -> Terminal | None:
    """The terminal that a command was started in; None if standard error is a file or a pipe.

    Call it before the first step: Dagster redirects standard error to a file while a step runs. It is None in worker
    processes, too (of `dagster dev` and the multiprocess executor): they share a terminal, and would write over each
    other's progress.
    """
    is_plain = os.environ.get("TERM", "dumb") in {"dumb", "unknown"}
    if is_plain or multiprocessing.parent_process() is not None or not sys.stderr.isatty():
        return None
    return Terminal(os.fdopen(os.dup(sys.stderr.fileno()), "w", errors="backslashreplace"))


class ConsoleHandler(logging.Handler):
    """Writes lines to the terminal, above the progress of a read; otherwise to standard error."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Accepts messages of level INFO or higher, and the events in `EVENT_LINES`, whose level is DEBUG."""
        event = _event(record)
        if event:
            return event.event_type in EVENT_LINES
        return record.levelno >= logging.INFO

    def format(self, record: logging.LogRecord) -> str:
        """The time, the level if above INFO, and the message without run, job and step."""
        event = _event(record)
        message = EVENT_LINES[event.event_type](event) if event else record.dagster_meta["orig_message"]  # type: ignore[attr-defined]
        level = f"{record.levelname} " if record.levelno > logging.INFO else ""
        return masked(f"{logging.Formatter().formatTime(record, TIME)} {level}{message}")

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one line."""
        try:
            line = self.format(record)
            if console := terminal():
                console.print(line, record.levelno)
            else:
                sys.stderr.write(f"{line}\n")
        except Exception:  # noqa: BLE001 # logging handles errors of its own output
            self.handleError(record)


@logger(config_schema=None, description="Short lines: what was read, loaded, built and checked, and what failed.")
def console_logger(_: InitLoggerContext) -> logging.Logger:
    """The logger of one run."""
    run_logger = logging.Logger(CONSOLE)  # noqa: LOG001 # for this run only: Dagster passes it every record
    run_logger.addHandler(ConsoleHandler())
    return run_logger


def _event(record: logging.LogRecord) -> DagsterEvent | None:
    event: DagsterEvent | None = record.dagster_meta["dagster_event"]  # type: ignore[attr-defined]
    return event


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
