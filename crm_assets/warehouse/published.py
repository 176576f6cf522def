"""The published copy: a second file, so that readers and runs never block each other."""

import os
import shutil
from pathlib import Path


def published_path(database: Path) -> Path:
    """The path of a DuckDB file's published copy: `crm.published.duckdb` next to `crm.duckdb`."""
    return database.with_suffix(".published.duckdb")


def is_published(database: Path) -> bool:
    """Whether the copy is up to date, or there is no database."""
    copy = published_path(database)
    if not database.exists():
        return True
    return copy.exists() and copy.stat().st_mtime_ns == database.stat().st_mtime_ns


def publish(database: Path) -> None:
    """Copies a database and replaces its published copy atomically.

    Args:
        database: Closed, with an empty write-ahead log. The caller must hold the lock.

    Raises:
        OSError: For example, the disk is full. The previous copy is still there.
    """
    _copy(database, published_path(database))


def take_over(database: Path) -> None:
    """Replaces the database with a copy of the published one. The caller must hold the lock.

    Raises:
        OSError: For example, the disk is full. The database has not changed.
    """
    _copy(published_path(database), database)


def _copy(source: Path, target: Path) -> None:
    unfinished = target.with_suffix(".unfinished")
    try:
        with source.open("rb") as read, unfinished.open("wb") as written:
            shutil.copyfileobj(read, written, 2**20)
            written.flush()
            os.fsync(written.fileno())
        # The copy has the database's modification time, which later shows whether it is up to date.
        shutil.copystat(source, unfinished)
        unfinished.chmod(0o600)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
