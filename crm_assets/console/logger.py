"""The console logger: a short line for what was read, loaded, built and checked, and for each failure.

Dagster uses it if a run's configuration has `loggers: {console: {}}`, as that of all jobs here does. Otherwise Dagster
uses its own logger, which receives the same messages.
"""

import logging
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import TextIO

from dagster import DagsterEvent, DagsterEventType, InitLoggerContext, logger

from crm_assets.dagster_internals import NO_RESULTS

CONSOLE = "console"
"""The logger's name in a run's configuration."""

TIME = "%H:%M:%S"


def _failure(event: DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return f"{event.step_key} failed: {data.user_failure_data.description}"
    return f"{event.step_key} failed: {data.error_display_string}"


def _retry(event: DagsterEvent) -> str:
    data = event.step_retry_data
    error = data.error.cause or data.error if data.error else None
    _, _, reason = error.message.strip().partition(": ") if error else ("", "", "")  # after the exception's class
    return f"{event.step_key} failed and is retried in {data.seconds_to_wait or 0:.0f} s: {reason}"


EVENT_LINES: Mapping[DagsterEventType, Callable[[DagsterEvent], str]] = MappingProxyType(
    {
        DagsterEventType.STEP_FAILURE: _failure,
        DagsterEventType.STEP_UP_FOR_RETRY: _retry,
        DagsterEventType.RUN_SUCCESS: lambda _: "Run succeeded",
        DagsterEventType.RUN_FAILURE: lambda event: f"Run failed: {event.message}",
        DagsterEventType.RUN_CANCELED: lambda _: "Run cancelled",
    }
)
"""The events that are shown. The UI has all others."""


COLOURS: Mapping[int, str] = MappingProxyType({logging.WARNING: "\x1b[33m", logging.ERROR: "\x1b[31m"})
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
        return record.levelno >= logging.INFO and NO_RESULTS not in record.getMessage()

    def format(self, record: logging.LogRecord) -> str:
        """The time, the level if above INFO, and the message without run, job and step."""
        event = _event(record)
        message = EVENT_LINES[event.event_type](event) if event else record.dagster_meta["orig_message"]  # type: ignore[attr-defined]
        level = f"{record.levelname} " if record.levelno > logging.INFO else ""
        return f"{logging.Formatter().formatTime(record, TIME)} {level}{message}"

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
