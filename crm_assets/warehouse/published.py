"""The published copy of a DuckDB file: a second file, so that readers and runs never block each other."""

import os
import shutil
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from crm_assets.warehouse.backend import Change
from crm_assets.warehouse.names import identifier, literal

VIEWS = """
select format('"{}"."{}"', replace(schema_name, '"', '""'), replace(view_name, '"', '""'))
from duckdb_views()
where not internal and database_name = current_database()
"""


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


def rewrite(database: Path, config: Mapping[str, Any], record: Change) -> None:
    """Replaces a database and its published copy by a file with the same tables and views, and nothing else.

    DuckDB marks the blocks of deleted data as free, but does not overwrite them until they are reused. The database is
    replaced last: until then, it does not have what `record` notes. If the process is killed, both files are as before
    or as after, and the next call removes the unfinished one.

    Args:
        database: Closed after `prepare_rewrite`. The caller must hold the lock.
        config: DuckDB's configuration.
        record: Called with the new file, to note in it what is erased.

    Raises:
        OSError: For example, the disk is full.
    """
    fresh = database.with_suffix(".rewritten.duckdb")
    _remove(fresh)
    try:
        with closing(duckdb.connect(str(fresh), config=dict(config))) as connection:
            connection.execute(f"attach {literal(str(database))} as stored (read_only)")
            [[catalog]] = connection.execute("select current_database()").fetchall()
            connection.execute(f"copy from database stored to {identifier(catalog)}")
            connection.execute("detach stored")
            record(connection)
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
        fresh.replace(published_path(database))
    finally:
        _remove(fresh)
    _copy(published_path(database), database)


def prepare_rewrite(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Empties a database's write-ahead log, and drops views that read missing tables.

    Returns:
        The views that were dropped.
    """
    views = [view for (view,) in connection.execute(VIEWS).fetchall()]
    broken = [view for view in views if not can_be_read(connection, view)]
    for view in broken:
        connection.execute(f"drop view {view}")
    connection.execute("checkpoint")
    return broken


def can_be_read(connection: duckdb.DuckDBPyConnection, view: str) -> bool:
    """Whether all that a view reads is there. `view`: its quoted address."""
    try:
        connection.execute(f"describe {view}")
    except duckdb.Error:
        return False
    return True


def _remove(database: Path) -> None:
    database.unlink(missing_ok=True)
    database.with_name(f"{database.name}.wal").unlink(missing_ok=True)


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
