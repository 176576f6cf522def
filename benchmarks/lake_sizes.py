"""What there is of a lake: its files, and the tables of its catalog in PostgreSQL."""

from collections.abc import Mapping
from pathlib import Path

import psycopg

from crm_assets_tests.lake_servers import dsn_of

COLUMNS = ("catalog tables:", "their rows:", "files:", "MiB:")
TABLES = (
    "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables where schemaname !~ '^(pg_|inf)'"
)


def sizes(warehouse: Mapping[str, str], files: Path) -> tuple[int, int, int, str]:
    """The cells of `COLUMNS`."""
    found = [path.stat().st_size for path in files.rglob("*.parquet")]
    with psycopg.connect(dsn_of(warehouse["CRM_WAREHOUSE"])) as session:
        tables = [table for (table,) in session.execute(TABLES)]
        rows = sum(session.execute(f"select count(*) from {table}").fetchall()[0][0] for table in tables)
    return len(tables), rows, len(found), f"{sum(found) / 2**20:.1f}"
