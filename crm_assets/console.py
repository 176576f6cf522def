"""Terminal output of a run: log lines, and the progress of reads.

The console logger has a short line for what was read, loaded, built and checked, and for each failure. Dagster uses it
if a run's configuration has `loggers: {console: {}}`, as that of all jobs here does. Otherwise Dagster uses its own
logger, which receives the same messages. The progress of a read is a log line every few seconds.
"""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from dagster import DagsterEvent, DagsterEventType, InitLoggerContext, logger

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

NOT_EXECUTED = "Dependencies for step "
"""The beginning of Dagster's message about each step that another one's failure leaves out: dozens, if a list fails."""


class ConsoleHandler(logging.Handler):
    """Writes lines to standard error."""

    _reason = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Accepts messages of level INFO or higher, and the events in `EVENT_LINES`, whose level is DEBUG."""
        event = _event(record)
        if event:
            return event.event_type in EVENT_LINES
        return record.levelno >= logging.INFO and not _message(record).startswith(NOT_EXECUTED)

    def format(self, record: logging.LogRecord) -> str:
        """The time, the level if above INFO, and the message without run, job and step; a reason of many steps once."""
        event = _event(record)
        message = EVENT_LINES[event.event_type](event) if event else _message(record)
        if event and event.event_type is DagsterEventType.STEP_FAILURE:
            step, _, reason = message.partition(": ")
            message = f"{step} for the same reason" if reason == self._reason else message
            self._reason = reason
        level = f"{record.levelname} " if record.levelno > logging.INFO else ""
        return masked(f"{logging.Formatter().formatTime(record, TIME)} {level}{message}")

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one line."""
        try:
            sys.stderr.write(f"{self.format(record)}\n")  # as it is now: Dagster redirects it while a step runs
        except Exception:  # noqa: BLE001 # logging handles errors of its own output
            self.handleError(record)


@logger(config_schema=None, description="Short lines: what was read, loaded, built and checked, and what failed.")
def console_logger(_: InitLoggerContext) -> logging.Logger:
    """The logger of one run."""
    run_logger = logging.Logger(CONSOLE)  # noqa: LOG001 # for this run only: Dagster passes it every record
    run_logger.addHandler(ConsoleHandler())
    return run_logger


def _message(record: logging.LogRecord) -> str:
    return str(record.dagster_meta["orig_message"])  # type: ignore[attr-defined]


def _event(record: logging.LogRecord) -> DagsterEvent | None:
    event: DagsterEvent | None = record.dagster_meta["dagster_event"]  # type: ignore[attr-defined]
    return event


SECONDS_BETWEEN_LINES = 10.0


class ReadProgress:
    """Logs the progress of a read every few seconds."""

    def __init__(self, resource: str, log: Callable[[str], object]) -> None:
        """Starts the clock of the read. `log` is called with each line."""
        self._resource, self._log = resource, log
        self._began = self._shown = time.monotonic()
        self._waits = 0

    def wait(self, sentence: str) -> None:
        """Logs a wait of the read."""
        self._waits += 1
        self._log(sentence)

    def page(self, progress: Progress) -> None:
        """Logs the progress after a page. Never raises."""
        now = time.monotonic()
        if now - self._shown >= SECONDS_BETWEEN_LINES:
            self._shown = now
            with suppress(Exception):  # progress output must never fail a run
                self._log(f"{self._resource}: {described(progress, now - self._began, self._waits)}")


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
    parts += [f"{what}: {count:,}" for what, count in (("retries", progress.retries), ("waits", waits)) if count]
    return ", ".join(parts)


def _of(count: int, expected: int | None) -> str:
    # A list can grow while it is read.
    return f"{count:,}" if expected is None else f"{count:,} of {max(count, expected):,}"
