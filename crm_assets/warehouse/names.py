"""Schemas and tables: their names, which exist, and how names and values are quoted in SQL without parameters."""

from typing import Any

import duckdb
from sqlglot import exp


def identifier(*parts: str) -> str:
    """A quoted name, or the parts of an address."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def relation(address: str) -> str:
    """The quoted name of a table or view: `"raw"."accounts"` for `raw.accounts`. The table's name may have dots."""
    schema, table = address[1:].split('".', 1) if address.startswith('"') else address.split(".", 1)
    return identifier(schema, table)


def literal(value: Any) -> str:
    """A value as DuckDB writes it: a text in quotes, a number, a date, `TRUE`, `NULL`."""
    if isinstance(value, str):  # sqlglot's dialects take a tenth of a second to load
        return "'" + value.replace("'", "''") + "'"
    return exp.convert(value).sql(dialect="duckdb")


RAW = "raw"
"""The schema of the raw tables."""

PRESENT = "present"
"""The schema of the views of raw tables, without vanished rows."""

TABLES = """
select schema_name, view_name, 'view' from duckdb_views() where database_name = current_database()
union all
select distinct schema_name, table_name, 'table' from {tables}() where database_name = current_database()
"""

KIND = "select type from duckdb_databases() where database_name = current_database()"


def kind_of_catalog(connection: duckdb.DuckDBPyConnection) -> str:
    """The kind of a connection's default catalog: `duckdb` for a file, `ducklake`, `motherduck`."""
    if known := getattr(connection, "kind", ""):
        return str(known)
    [[kind]] = connection.execute(KIND).fetchall()
    return str(kind)


def is_lake(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a connection's default catalog is a lake."""
    return kind_of_catalog(connection) == "ducklake"


def exist(connection: duckdb.DuckDBPyConnection, *addresses: str) -> bool:
    """Whether there are these tables and views. An error about a missing one would end a transaction."""
    return existing_tables(connection).keys() >= set(addresses)


def stored_tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    """Schema, name and kind, `table` or `view`, of all tables and views, sorted."""
    # `duckdb_columns` lists views as well. But `duckdb_tables` of a lake asks its catalog for the rows of each table.
    tables = "duckdb_columns" if is_lake(connection) else "duckdb_tables"
    found = connection.execute(TABLES.format(tables=tables)).fetchall()
    views = {(schema, name) for schema, name, kind in found if kind == "view"}
    return sorted(row for row in found if row[2] == "view" or row[:2] not in views)


def existing_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Address in lower case, as of models -> `table` or `view`, of all that there are.

    A schema whose name has a dot is in quotes. No model is in such a one.
    """
    known: dict[str, str] | None = getattr(connection, "existing", None)  # within `transactions.tables_known`
    if known:
        return known
    found = stored_tables(connection)
    quoted = ((f'"{schema}"' if "." in schema else schema, table, kind) for schema, table, kind in found)
    existing = {} if known is None else known
    existing.update((f"{schema}.{table}".lower(), kind) for schema, table, kind in quoted)
    return existing


def can_be_read(connection: duckdb.DuckDBPyConnection, view: str) -> bool:
    """Whether all that a view reads is there. `view`: its quoted address."""
    try:
        connection.execute(f"describe {view}")
    except duckdb.Error:
        return False
    return True
