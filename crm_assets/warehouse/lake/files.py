"""Maintains the Parquet files of a lake: merges small ones, and removes those that no snapshot needs."""

import duckdb

from crm_assets.warehouse.lake.bounds import renew_bounds
from crm_assets.warehouse.lake.instance import CATALOG
from crm_assets.warehouse.names import identifier
from crm_assets.warehouse.transactions import committed

KEPT = "7 days"
"""How long old snapshots can be read."""

UNDISTURBED = "1 day"
"""Age at which files without a commit are taken for those of a killed writer, not of an active one."""

INLINED = f"call ducklake_flush_inlined_data('{CATALOG}')"
"""Moves rows from tables of the catalog into files. Only earlier versions of this project left rows there."""

INLINED_TABLES = "select table_name from {catalog}.ducklake_inlined_data_tables"

ROW_GROUPS = f"call {CATALOG}.set_option('parquet_row_group_size', 20000)"
"""Rows that a writer of Parquet keeps in memory. DuckDB's 122,880 do not fit into the memory of a load, and each large
load was made twice: the second time without a limit."""

REWRITING = f"call ducklake_rewrite_data_files('{CATALOG}')"

MAINTENANCE = (
    ROW_GROUPS,
    f"call ducklake_merge_adjacent_files('{CATALOG}')",
    f"call ducklake_expire_snapshots('{CATALOG}', older_than => now() - interval '{KEPT}')",
    f"call ducklake_cleanup_old_files('{CATALOG}', older_than => now() - interval '{UNDISTURBED}')",
    f"call ducklake_delete_orphaned_files('{CATALOG}', older_than => now() - interval '{UNDISTURBED}')",
)

ERASURE = (
    INLINED,
    f"call ducklake_rewrite_data_files('{CATALOG}', delete_threshold => 0)",
    f"call ducklake_expire_snapshots('{CATALOG}', older_than => now())",
    f"call ducklake_cleanup_old_files('{CATALOG}', cleanup_all => true)",
    f"call ducklake_delete_orphaned_files('{CATALOG}', cleanup_all => true)",
)
"""A deleted row stays in its file until that is rewritten, and the file exists until no snapshot needs it. Files that
no snapshot has ever had are those of killed writers."""

FILES = f"""
select
    coalesce(sum(file_count), 0)::bigint,
    coalesce(sum(file_size_bytes), 0)::bigint
from ducklake_table_info('{CATALOG}')
"""


def rewrite(connection: duckdb.DuckDBPyConnection, catalog: str) -> None:
    """Rewrites files of which most rows are deleted. Needs the lock of the whole lake."""
    _flush(connection, catalog)
    _call(connection, REWRITING)
    renew_bounds(connection, catalog)


def maintain(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Merges small files, and removes files that only expired snapshots need.

    Returns:
        The numbers of files and bytes, before and after.
    """
    before = _files(connection)
    _call(connection, *MAINTENANCE)
    after = _files(connection)
    return {"files before": before[0], "files": after[0], "bytes before": before[1], "bytes": after[1]}


def erase(connection: duckdb.DuckDBPyConnection, catalog: str) -> None:
    """Removes deleted rows and old snapshots for good. Needs the lock of the whole lake."""
    _call(connection, *ERASURE)
    renew_bounds(connection, catalog)


def _flush(connection: duckdb.DuckDBPyConnection, catalog: str) -> None:
    """Empties the catalog's tables of rows. If they are empty it does nothing: DuckLake would wait for readers."""
    tables = connection.execute(INLINED_TABLES.format(catalog=catalog)).fetchall()
    if any(connection.execute(f"from {catalog}.{identifier(table)} limit 1").fetchone() for (table,) in tables):
        _call(connection, INLINED)


def _call(connection: duckdb.DuckDBPyConnection, *procedures: str) -> None:
    for procedure in procedures:
        committed(connection, lambda call=procedure: connection.execute(call).fetchall())  # type: ignore[misc]


def _files(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    [(files, size)] = connection.execute(FILES).fetchall()
    return files, size
