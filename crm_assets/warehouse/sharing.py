"""How a database is shared: by processes in turn, by uses that follow each other, and with readers, as published.

The lock for processes is one of the operating system, on a file next to the database: it ends with its process, even on
`kill -9`.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import duckdb
from filelock import FileLock, Timeout

from crm_assets.errors import WarehouseBusy

T = TypeVar("T")

Change = Callable[[duckdb.DuckDBPyConnection], object]
"""Changes a database."""

FIRST_MESSAGE_AFTER, MESSAGE_EVERY = 0.05, 10.0
"""Seconds of waiting before the first message, and between messages."""

Announce = Callable[[str], object]


@contextmanager
def writer_lock(database: Path, wait: float, announce: Announce) -> Iterator[None]:
    """Locks `database` while the body runs. The lock is not reentrant.

    Args:
        database: The DuckDB file; the lock file is next to it.
        wait: Seconds to wait for the lock.
        announce: Called with a message that names the process that holds the lock, at once and every ten seconds.

    Raises:
        WarehouseBusy: The lock was not released in time. The message names the process that holds it.
    """
    database = database.absolute()
    # Records are personal data, so only the owner may access the folder.
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    holder = Path(f"{database}.holder")
    lock = FileLock(f"{database}.lock", mode=0o600, thread_local=False)
    try:
        for seconds in attempts(f"{database}, held", partial(_holder, holder), wait, announce, time.monotonic()):
            with suppress(Timeout):
                lock.acquire(timeout=seconds, poll_interval=0.02)
                break
        try:
            _write_holder(holder)
            yield
        finally:
            with suppress(OSError):  # it is only for messages
                holder.unlink()
    finally:  # an interrupt may come at any line, even right after the lock is acquired
        lock.release(force=True)


def attempts(held: str, holder: Callable[[], str], wait: float, announce: Announce, since: float) -> Iterator[float]:
    """The seconds of each attempt to get what another process holds. Between them it says which process that is.

    Args:
        held: What is held and how: `crm.duckdb, held`.
        holder: The process that holds it.
        wait: Seconds of all attempts.
        announce: Called with a message at once and every ten seconds.
        since: When the waiting began, as `time.monotonic` counts.

    Raises:
        WarehouseBusy: No attempt was the last one.
    """
    yield min(FIRST_MESSAGE_AFTER, wait)
    while (waited := time.monotonic() - since) < wait:
        announce(f"Waiting for {held} by {holder()} ({waited:.0f} of {wait:.0f} s)")
        yield min(MESSAGE_EVERY, wait - waited)
    raise WarehouseBusy(
        f"Waited {wait:.0f} s for {held} by {holder()}. Wait until it is done or stop it, then run this again"
    )


def _write_holder(path: Path) -> None:
    since = datetime.now(timezone.utc).isoformat("T", "seconds")
    with suppress(OSError):  # it is only for messages
        path.touch(mode=0o600)
        path.write_text(f"process {os.getpid()} ({Path(sys.argv[0]).name}, since {since})", encoding="utf-8")


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") or "another process"
    except (OSError, ValueError):
        return "another process"


class KeptOpen(Generic[T]):
    """What a context manager opens, and stays open for the next use. An error closes it.

    Attributes:
        value: What is open now; None if nothing is.
    """

    def __init__(self, opened: Callable[[], AbstractContextManager[T]], seconds: float | None = None) -> None:
        """Opens nothing yet.

        Args:
            opened: The context manager. Another thread may close it.
            seconds: How long it stays open, or until the end of the use that lasts longer; None: until `close`.
        """
        self._opened, self._seconds, self._closing = opened, seconds, ExitStack()
        self.value: T | None = None
        self._in_use = threading.RLock()

    @contextmanager
    def used(self) -> Iterator[T]:
        """What is open, or is opened now."""
        with self._in_use:
            if self.value is None:
                self.value = self._closing.enter_context(self._opened())
                if self._seconds is not None:
                    timer = threading.Timer(self._seconds, self.close)
                    timer.daemon = True
                    timer.start()
                    self._closing.callback(timer.cancel)
            try:
                yield self.value
            except BaseException as error:
                self._close(error)
                raise

    def close(self) -> None:
        """Closes it, after its use."""
        with self._in_use:
            self._close(None)

    def _close(self, error: BaseException | None) -> None:
        self.value = None
        self._closing.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)


@dataclass(frozen=True)
class Published:
    """The published state of the tables.

    Attributes:
        where: A path, or the warehouse's name.
        is_new: Whether readers see a newer state than before the call.
        version: The number of the snapshot; None if there are no snapshots.
    """

    where: str
    is_new: bool
    version: int | None = None
