"""The schemas and tables of a warehouse."""

import duckdb

RAW = "raw"
"""The schema of the raw tables."""

PRESENT = "present"
"""The schema of the views of raw tables, without vanished rows."""

TABLES = """
select
    table_schema || '.' || table_name,
    table_type
from information_schema.tables
where table_catalog = current_database()
order by
    table_schema,
    table_name
"""


def exist(connection: duckdb.DuckDBPyConnection, *addresses: str) -> bool:
    """Whether there are these tables and views. An error about a missing one would end a transaction."""
    return existing_tables(connection).keys() >= set(addresses)


def existing_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Address -> type of all tables and views: `BASE TABLE` or `VIEW`."""
    return dict(connection.execute(TABLES).fetchall())
