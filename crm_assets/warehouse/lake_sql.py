"""Works around limits of a lake's tables: missing types, changing a column's type, comments on columns of views."""

from collections.abc import Mapping

import duckdb

from crm_assets.warehouse.names import identifier, is_lake, kind_of_catalog, literal

REPLACED: Mapping[str, str] = {
    "HUGEINT": "decimal(38, 0)",
    "UHUGEINT": "decimal(38, 0)",
    "BIT": "varchar",
    "ENUM": "varchar",
}
"""Type -> its replacement in Parquet files and lakes, which holds the same values or refuses them. Parquet would round
the first two; DuckLake does not support the others, nor unions, which have no replacement."""


def with_lake_types(connection: duckdb.DuckDBPyConnection, select: str) -> str:
    """A SELECT whose result the default catalog can store exactly. Line numbers do not change, for error messages.

    Raises:
        duckdb.Error: DuckDB refuses the SELECT.
    """
    return with_parquet_types(connection, select) if is_lake(connection) else select


def with_parquet_types(
    connection: duckdb.DuckDBPyConnection, select: str, replaced: Mapping[str, str] = REPLACED
) -> str:
    """A SELECT whose result Parquet can store exactly: `select` itself, or one around it."""
    described = connection.execute(f"describe {select}").fetchall()
    casts = ", ".join(
        f"{identifier(column)}::{replaced[base]} as {identifier(column)}"
        for column, type_, *_ in described
        if (base := type_.partition("(")[0]) in replaced
    )
    return f"select * replace ({casts}) from ({select}\n)" if casts else select


def retype(connection: duckdb.DuckDBPyConnection, table: str, column: str, type_: str) -> None:
    """Gives a column another type, empty. Must come before the transaction changes rows of the table.

    Args:
        connection: A connection within a transaction.
        table: The quoted table.
        column: The column's name.
        type_: Its new type.
    """
    name = identifier(column)
    if is_lake(connection):
        connection.execute(f"alter table {table} drop column {name}")
        connection.execute(f"alter table {table} add column {name} {type_}")
    else:
        connection.execute(f"alter table {table} alter column {name} type {type_} using null")


COMMENTED = """
select column_name, coalesce(comment, '')
from duckdb_columns()
where database_name = current_database() and schema_name = ? and table_name = ?
"""
"""DuckDB binds all views for it again."""


def comment(  # noqa: PLR0913 # all are needed, and there are three callers
    connection: duckdb.DuckDBPyConnection,
    kind: str,
    address: tuple[str, str],
    description: str,
    columns: Mapping[str, str],
    *,
    is_new: bool = False,
) -> None:
    """Sets the comments on a table or view and on its columns, unless they are already set.

    DuckDB's UI, DBeaver and Metabase show them.

    Args:
        connection: The warehouse, for writing.
        kind: `table` or `view`.
        address: Its schema and its name.
        description: What a row is.
        columns: Column -> description. Columns that the table does not have are ignored.
        is_new: Whether it has no comments yet.
    """
    relation = identifier(*address)
    statements = [f"comment on {kind} {relation} is {literal(description.strip())}"]
    if kind == "table" or kind_of_catalog(connection) == "duckdb":  # only in a file columns of views can have comments
        if is_new:
            stored = {name: "" for name, *_ in connection.execute(f"describe {relation}").fetchall()}
        else:
            stored = dict(connection.execute(COMMENTED, address).fetchall())
        statements += [
            f"comment on column {relation}.{identifier(column)} is {literal(text.strip())}"
            for column, text in columns.items()
            if stored.get(column) not in {None, text.strip()}
        ]
    connection.execute(";\n".join(statements))
