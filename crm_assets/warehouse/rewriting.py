"""Rewrites a database file, so that no bytes of deleted rows and values are left in it.

DuckDB marks the blocks of deleted data as free, but does not overwrite them until they are reused.
"""

import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from crm_assets.warehouse.backend import Change
from crm_assets.warehouse.quoting import identifier, literal

VIEWS = """
select format('"{}"."{}"', replace(schema_name, '"', '""'), replace(view_name, '"', '""'))
from duckdb_views()
where not internal and database_name = current_database()
"""


def rewrite_file(
    database: Path,
    target: Path,
    config: Mapping[str, Any],
    record: Change,
) -> None:
    """Copies all tables and views to a new file, which atomically replaces `target`.

    If the process is killed before that, `target` has not changed, and the next call removes the unfinished file.

    Args:
        database: Closed after `prepare`, with the caller still holding the lock.
        target: The file to replace.
        config: DuckDB's configuration.
        record: Called with the new file, to record in it what is erased.

    Raises:
        OSError: For example, the disk is full. `target` has not changed.
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
        fresh.replace(target)
    finally:
        _remove(fresh)


def prepare(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Prepares a database for copying: empties its write-ahead log, and drops views that read missing tables.

    Returns:
        The views that were dropped.
    """
    broken = [address for address in _views(connection) if not _can_be_read(connection, address)]
    for address in broken:
        connection.execute(f"drop view {address}")
    connection.execute("checkpoint")
    return broken


def _views(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [address for (address,) in connection.execute(VIEWS).fetchall()]


def _can_be_read(connection: duckdb.DuckDBPyConnection, address: str) -> bool:
    try:
        connection.execute(f"describe {address}")
    except duckdb.Error:
        return False
    return True


def _remove(database: Path) -> None:
    database.unlink(missing_ok=True)
    database.with_name(f"{database.name}.wal").unlink(missing_ok=True)
