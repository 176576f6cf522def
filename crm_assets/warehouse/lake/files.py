"""Maintains the Parquet files of a lake: merges small ones, and removes those that no snapshot needs.

Afterwards it computes the smallest and largest value of each column, in the lake's catalog, from those of its files.
DuckLake only widens these bounds, so they keep deleted values. When it rewrites files, it can also lose them; the next
insert then sets them to those of the new rows, and queries miss older rows. The number of a table's rows, by which
DuckDB plans statements, only grows, so it is counted as well.
"""

from collections.abc import Mapping
from functools import partial

import duckdb

from crm_assets.warehouse.lake.commit import require_lock
from crm_assets.warehouse.tables import identifier, statements_of
from crm_assets.warehouse.transactions import committed

SQL = statements_of(__file__)

CATALOG = "lake"
"""The catalog name under which a lake is attached."""

KEPT = "7 days"
"""How long old snapshots can be read."""

UNDISTURBED = "1 day"
"""Age at which files without a commit are taken for those of a killed writer, not of an active one."""

INLINED = f"call ducklake_flush_inlined_data('{CATALOG}')"
"""Moves rows from tables of the catalog into files. Only earlier versions of this project left rows there."""

ROW_GROUPS = f"call {CATALOG}.set_option('parquet_row_group_size', 20000)"
"""Rows that a writer of Parquet keeps in memory. DuckDB's 122,880 do not fit into the memory of a load, and each large
load was made twice: the second time without a limit."""

REWRITING = f"call ducklake_rewrite_data_files('{CATALOG}', delete_threshold => 0.5)"
"""DuckLake's default is 0.95: a list that changes often had one more file with a few rows after each maintenance."""

UNUSED = f"call ducklake_delete_orphaned_files('{CATALOG}', older_than => now() - interval '{UNDISTURBED}')"
"""Removes files of killed writers. DuckLake opens each file, and fails if a writer has deleted it meanwhile."""

ERASURE = SQL["erasure"].split(";\n")

COMPARED_AS: Mapping[str, str] = {
    **dict.fromkeys(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"), "hugeint"),
    **dict.fromkeys(("float32", "float64"), "double"),
    "boolean": "boolean",
    "date": "date",
    "time": "time",
    "timestamptz": "timestamptz",
    **dict.fromkeys(("timestamp", "timestamp_s", "timestamp_ms"), "timestamp"),
    "timestamp_ns": "timestamp_ns",
}
"""Type of a column in the catalog -> the type that orders its bounds, which are texts. Others are ordered as texts."""


def rewrite(connection: duckdb.DuckDBPyConnection, catalog: str) -> None:
    """Rewrites files of which most rows are deleted, and removes those of killed writers.

    Needs the lock of the whole lake.
    """
    _flush(connection, catalog)
    _call(connection, REWRITING, UNUSED)
    committed(connection, partial(_renew_bounds, connection, catalog))


def maintain(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Merges small files, and removes files that only expired snapshots need.

    Returns:
        The numbers of files and bytes, before and after.
    """
    before = _files(connection)
    _call(connection, ROW_GROUPS, *SQL["maintenance"].format(kept=KEPT, undisturbed=UNDISTURBED).split(";\n"))
    after = _files(connection)
    return {"files before": before[0], "files": after[0], "bytes before": before[1], "bytes": after[1]}


def erase(connection: duckdb.DuckDBPyConnection, catalog: str) -> None:
    """Removes deleted rows and old snapshots for good. Needs the lock of the whole lake."""
    _call(connection, *ERASURE)
    committed(connection, partial(_renew_bounds, connection, catalog))


def _flush(connection: duckdb.DuckDBPyConnection, catalog: str) -> None:
    """Empties the catalog's tables of rows. If they are empty it does nothing: DuckLake would wait for readers."""
    tables = connection.execute(SQL["inlined_tables"].format(catalog=catalog)).fetchall()
    if any(connection.execute(f"from {catalog}.{identifier(table)} limit 1").fetchone() for (table,) in tables):
        _call(connection, INLINED)


def _call(connection: duckdb.DuckDBPyConnection, *procedures: str) -> None:
    for procedure in procedures:
        committed(connection, partial(_called, connection, procedure))


def _called(connection: duckdb.DuckDBPyConnection, procedure: str) -> None:
    # Some delete files before the commit, which checks the lock: without it, also those of others that are writing.
    require_lock(connection)
    connection.execute(procedure).fetchall()


def _files(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    [(files, size)] = connection.execute(SQL["files"]).fetchall()
    return files, size


def _renew_bounds(connection: duckdb.DuckDBPyConnection, catalog: str) -> None:
    """Recomputes all bounds, with the lock of the whole lake. No table may have rows in the catalog, not in files."""
    connection.execute(SQL["counted"].format(catalog=catalog))
    connection.execute(SQL["of_dropped_columns"].format(catalog=catalog))
    for (named,) in connection.execute(SQL["types"].format(catalog=catalog)).fetchall():
        type_ = named if named.startswith("decimal") else COMPARED_AS.get(named, "varchar")
        bounds = SQL["bounds"].format(catalog=catalog, type=type_, named=f"'{named}'")
        connection.execute(SQL["renewed"].format(catalog=catalog, bounds=bounds))
