"""One process at a time may have the DuckDB file open for writing.

The lock is the operating system's (flock): it ends with the process that holds it, also on `kill -9`.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

ANNOUNCE_EVERY = 10.0
"""Seconds between two messages of a process that waits."""


class WarehouseBusy(Exception):
    """The database was held by someone else for longer than the wait is long."""


@contextmanager
def writer_lock(database: Path, wait: float, announce: Callable[[str], object]) -> Iterator[None]:
    """Holds the right to open `database` while the body runs.

    Args:
        database: The DuckDB file; the lock is a file beside it.
        wait: Seconds to wait at most.
        announce: Called with a sentence that tells for whom we wait, at once and then every ten seconds.

    Raises:
        WarehouseBusy: The wait was over. Tells who holds the database.
    """
    # Records are personal data: the folder is its owner's alone.
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(f"{database}.lock", mode=0o600)
    holder = Path(f"{database}.holder")
    started = time.monotonic()
    patience = 0.05
    while True:
        try:
            lock.acquire(timeout=min(patience, wait), poll_interval=0.02)
            break
        except Timeout:
            waited = time.monotonic() - started
            if waited >= wait:
                raise WarehouseBusy(
                    f"{database} was held for {wait:.0f} s by {_holder_text(holder)}. Wait until it is "
                    "done or stop it, then run this again"
                ) from None
            if _holder_told(holder).get("pid") != os.getpid():  # our other threads need not be announced
                announce(f"Waiting for {database.name}, held by {_holder_text(holder)} ({waited:.0f} of {wait:.0f} s)")
            patience = min(ANNOUNCE_EVERY, wait - waited)
    try:
        _write_holder(holder)
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _write_holder(holder: Path) -> None:
    text = json.dumps(
        {
            "pid": os.getpid(),
            "command": Path(sys.argv[0]).name,
            "since": datetime.now(timezone.utc).isoformat("T", "seconds"),
        }
    )
    with suppress(OSError):  # it only serves messages
        holder.write_text(text, encoding="utf-8")


def _holder_told(holder: Path) -> dict[str, Any]:
    try:
        told = json.loads(holder.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _holder_text(holder: Path) -> str:
    told = _holder_told(holder)
    try:
        return f"process {told['pid']} ({told['command']}, since {told['since']})"
    except KeyError:
        return "another process"
