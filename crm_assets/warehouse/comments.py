"""Descriptions as comments in the database, where DuckDB's UI, DBeaver and Metabase show them."""

from collections.abc import Mapping

import duckdb

from crm_assets.warehouse.names import identifier, literal

COMMENTED = """
select
    column_name,
    coalesce(comment, '')
from duckdb_columns()
where database_name = current_database() and schema_name = ? and table_name = ?
"""

CATALOG = "select type from duckdb_databases() where database_name = current_database()"


def comment(
    connection: duckdb.DuckDBPyConnection,
    kind: str,
    address: tuple[str, str],
    description: str,
    columns: Mapping[str, str],
) -> None:
    """Sets the comments on a table or view and on its columns, unless they are already set.

    Args:
        connection: The warehouse, for writing.
        kind: `table` or `view`.
        address: Its schema and its name.
        description: What a row is.
        columns: Column -> description. Columns that the table does not have are ignored.
    """
    relation = identifier(*address)
    stored = dict(connection.execute(COMMENTED, address).fetchall())
    statements = [f"comment on {kind} {relation} is {literal(description.strip())}"]
    if kind == "table" or _views_have_columns(connection):
        statements += [
            f"comment on column {relation}.{identifier(column)} is {literal(text.strip())}"
            for column, text in columns.items()
            if stored.get(column) not in {None, text.strip()}
        ]
    connection.execute(";\n".join(statements))


def _views_have_columns(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether columns of views can have comments: in a DuckDB file they can, in a DuckLake they cannot."""
    return connection.execute(CATALOG).fetchall() == [("duckdb",)]
