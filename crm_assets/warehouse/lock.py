"""One process at a time may have the DuckDB file open for writing, and within it one thread at a time may write.

The lock between processes is the operating system's (flock): it ends with the process that holds it, also on `kill -9`.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

ANNOUNCE_EVERY = 10.0
"""Seconds between two messages of a process that waits."""

INTERRUPTIBLE = 0.5
"""Seconds after which a thread that waits for another looks whether its run is to end."""

Announce = Callable[[str], object]


class WarehouseBusy(Exception):
    """The database was held by someone else for longer than the wait is long."""


@contextmanager
def writer_lock(database: Path, wait: float, announce: Announce, *, alone: bool = True) -> Iterator[None]:
    """Holds the right to open `database` while the body runs.

    Args:
        database: The DuckDB file; the lock is a file beside it.
        wait: Seconds to wait at most.
        announce: Called with a sentence that tells for which process we wait, at once and then every ten seconds.
        alone: Whether other threads of this process are kept out, too. A body that only reads need not wait for them:
            within a process, DuckDB shows it the last state that was committed.

    Raises:
        WarehouseBusy: The wait was over. Tells who holds the database.
    """
    hold = _hold_on(database.absolute())
    with hold.of_threads(wait) if alone else nullcontext(), hold.of_processes(wait, announce):
        yield


class _Hold:
    """This process's hold on a database: taken from other processes by the first thread, given back by the last."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._holder = Path(f"{database}.holder")
        self._lock = FileLock(f"{database}.lock", mode=0o600, thread_local=False)
        self._alone = threading.RLock()
        self._entering = threading.RLock()
        self._inside: set[object] = set()

    @contextmanager
    def of_threads(self, wait: float) -> Iterator[None]:
        with self._acquired(self._alone, wait):
            yield

    @contextmanager
    def of_processes(self, wait: float, announce: Announce) -> Iterator[None]:
        me = object()
        try:
            with self._acquired(self._entering, wait):  # whoever has it may be waiting for a process
                if not self._inside:
                    self._take(wait, announce)
                self._inside.add(me)
            yield
        finally:
            if me in self._inside or (self._lock.is_locked and not self._inside):
                self._leave(me)

    def _leave(self, me: object) -> None:
        with self._entering:
            self._inside.discard(me)
            if not self._inside and self._lock.is_locked:
                with suppress(OSError):  # it only serves messages
                    self._holder.unlink()
                self._lock.release(force=True)

    @contextmanager
    def _acquired(self, lock: "threading.RLock", wait: float) -> Iterator[None]:
        """Holds a lock of this process. An interrupt may come right after it was acquired, as at any other line."""
        give_up_at = time.monotonic() + wait
        try:
            while not lock.acquire(timeout=max(0, min(INTERRUPTIBLE, give_up_at - time.monotonic()))):
                if time.monotonic() >= give_up_at:
                    raise self._busy(wait)
            yield
        finally:
            with suppress(RuntimeError):  # it is not ours
                lock.release()

    def _take(self, wait: float, announce: Announce) -> None:
        # Records are personal data: the folder is its owner's alone.
        self._database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        started = time.monotonic()
        patience = 0.05
        while True:
            try:
                self._lock.acquire(timeout=min(patience, wait), poll_interval=0.02)
                break
            except Timeout:
                waited = time.monotonic() - started
                if waited >= wait:
                    raise self._busy(wait) from None
                announce(
                    f"Waiting for {self._database.name}, held by {self._holder_text()} ({waited:.0f} of {wait:.0f} s)"
                )
                patience = min(ANNOUNCE_EVERY, wait - waited)
        self._write_holder()

    def _busy(self, wait: float) -> WarehouseBusy:
        return WarehouseBusy(
            f"{self._database} was held for {wait:.0f} s by {self._holder_text()}. Wait until it is done or stop it, "
            "then run this again"
        )

    def _write_holder(self) -> None:
        text = json.dumps(
            {
                "pid": os.getpid(),
                "command": Path(sys.argv[0]).name,
                "since": datetime.now(timezone.utc).isoformat("T", "seconds"),
            }
        )
        with suppress(OSError):  # it only serves messages
            self._holder.write_text(text, encoding="utf-8")

    def _holder_text(self) -> str:
        try:
            told: Any = json.loads(self._holder.read_text(encoding="utf-8"))
            return f"process {told['pid']} ({told['command']}, since {told['since']})"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"


@cache
def _hold_on(database: Path) -> _Hold:
    return _Hold(database)
