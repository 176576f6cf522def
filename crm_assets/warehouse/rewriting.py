"""A database file written anew, so that nothing is left in it of rows and values that were taken out of its tables.

DuckDB marks what was deleted as free, and leaves the bytes where they are until they are needed.
"""

import os
import shutil
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from crm_assets.warehouse.policy import set_erased

VIEWS = """
select format('"{}"."{}"', replace(schema_name, '"', '""'), replace(view_name, '"', '""'))
from duckdb_views()
where not internal and database_name = current_database()
"""


def write_anew(database: Path, target: Path, config: Mapping[str, Any]) -> None:
    """Puts a copy of all tables and views in the place of another file, at once.

    Killed before that, it leaves that file as it was, and one that the next call removes.

    Args:
        database: Closed after `prepare`, and locked by the caller ever since.
        target: Where the copy is to lie.
        config: DuckDB's configuration.

    Raises:
        OSError: There is no room for another file. The target is as it was.
    """
    fresh = database.with_suffix(".rewritten.duckdb")
    _remove(fresh)
    try:
        with closing(duckdb.connect(str(fresh), config=dict(config))) as connection:
            fresh.chmod(0o600)
            connection.execute(f"attach {_literal(database)} as stored (read_only)")
            [[catalog]] = connection.execute("select current_database()").fetchall()
            connection.execute(f'copy from database stored to "{catalog}"')
            connection.execute("detach stored")
            set_erased(connection, erased=True)
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
        fresh.replace(target)
    finally:
        _remove(fresh)
    shutil.rmtree(f"{database}.tmp", ignore_errors=True)  # what a killed process had moved out of its memory


def prepare(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Makes a database ready to be copied: all of it in its file, and no view that reads what is not there.

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


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
