"""The Parquet files of a lake: small ones put together, those removed that no state needs any more."""

import duckdb

KEPT = "7 days"
"""How long earlier states of the tables can be read."""

UNDISTURBED = "1 day"
"""Age of files that no commit mentions, from which on they are a killed writer's, and not of one who writes now."""

MAINTENANCE = (
    "call ducklake_merge_adjacent_files('{lake}')",
    "call ducklake_rewrite_data_files('{lake}')",
    f"call ducklake_expire_snapshots('{{lake}}', older_than => now() - interval '{KEPT}')",
    f"call ducklake_cleanup_old_files('{{lake}}', older_than => now() - interval '{UNDISTURBED}')",
    f"call ducklake_delete_orphaned_files('{{lake}}', older_than => now() - interval '{UNDISTURBED}')",
)

ERASURE = (
    "call ducklake_rewrite_data_files('{lake}', delete_threshold => 0)",
    "call ducklake_expire_snapshots('{lake}', older_than => now())",
    "call ducklake_cleanup_old_files('{lake}', cleanup_all => true)",
)
"""A deleted row stays in its file until that is written anew, and the file until no state needs it."""

FILES = """
select
    coalesce(sum(file_count), 0)::bigint,
    coalesce(sum(file_size_bytes), 0)::bigint
from ducklake_table_info('{lake}')
"""


def maintain(connection: duckdb.DuckDBPyConnection, lake: str) -> dict[str, int]:
    """Merges small files, and removes what only states need that are older than a week.

    Returns:
        How many files there were and are, and how many bytes.
    """
    before = _files(connection, lake)
    _call(connection, lake, MAINTENANCE)
    after = _files(connection, lake)
    return {"files before": before[0], "files": after[0], "bytes before": before[1], "bytes": after[1]}


def erase(connection: duckdb.DuckDBPyConnection, lake: str) -> None:
    """Leaves nothing of deleted rows and of earlier states."""
    _call(connection, lake, ERASURE)


def _call(connection: duckdb.DuckDBPyConnection, lake: str, procedures: tuple[str, ...]) -> None:
    for procedure in procedures:
        connection.execute(procedure.format(lake=lake)).fetchall()


def _files(connection: duckdb.DuckDBPyConnection, lake: str) -> tuple[int, int]:
    [(files, size)] = connection.execute(FILES.format(lake=lake)).fetchall()
    return files, size
