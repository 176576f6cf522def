"""The published copy: a second file for readers who must never wait, nor be waited for."""

import os
import shutil
from pathlib import Path


def published_path(database: Path) -> Path:
    """Where the copy of a DuckDB file lies: `crm.published.duckdb` beside `crm.duckdb`."""
    return database.with_suffix(".published.duckdb")


def is_published(database: Path) -> bool:
    """Whether the copy is as new as the database, or there is nothing to copy."""
    copy = published_path(database)
    if not database.exists():
        return True
    return copy.exists() and copy.stat().st_mtime_ns == database.stat().st_mtime_ns


def publish(database: Path) -> None:
    """Copies the database and puts the copy in its place at once: a reader has the old one or the new one, whole.

    The caller has the writer's lock, and the database was closed with nothing left in its write-ahead log.

    Raises:
        OSError: There is no room, say. What was published before is still there.
    """
    _copy(database, published_path(database))


def take_over(database: Path) -> None:
    """Puts a copy of what is published in the place of the database. The caller has the writer's lock.

    Raises:
        OSError: There is no room, say. The database is as it was.
    """
    _copy(published_path(database), database)


def _copy(source: Path, target: Path) -> None:
    unfinished = target.with_suffix(".unfinished")
    try:
        unfinished.touch(mode=0o600)
        with source.open("rb") as read, unfinished.open("wb") as written:
            shutil.copyfileobj(read, written, 2**20)
            written.flush()
            os.fsync(written.fileno())
        # The database's own time tells later whether the copy is of its last state.
        shutil.copystat(source, unfinished)
        unfinished.chmod(0o600)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
