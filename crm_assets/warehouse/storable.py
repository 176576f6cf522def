"""What a lake's tables cannot do as those of a DuckDB file can: some types, and changing a column's type."""

from collections.abc import Mapping
from types import MappingProxyType

import duckdb

from crm_assets.warehouse.names import identifier

REPLACED: Mapping[str, str] = MappingProxyType(
    {"HUGEINT": "decimal(38, 0)", "UHUGEINT": "decimal(38, 0)", "BIT": "varchar", "ENUM": "varchar"}
)
"""Type -> the one that holds the same values in a lake, or refuses those that it cannot hold. Parquet would round the
first two. DuckLake refuses the others, and unions, which stay refused."""

IS_LAKE = "select type = 'ducklake' from duckdb_databases() where database_name = current_database()"


def is_lake(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a connection's default catalog is a lake."""
    return connection.execute(IS_LAKE).fetchall() == [(True,)]


def storable(connection: duckdb.DuckDBPyConnection, select: str) -> str:
    """A SELECT whose result can be kept as a table, exactly: `select` itself, or one around it.

    Lines keep their numbers, so that messages point at the right one.

    Raises:
        duckdb.Error: DuckDB refuses the SELECT.
    """
    if not is_lake(connection):
        return select
    described = connection.execute(f"describe {select}").fetchall()
    casts = ", ".join(
        f"{identifier(column)}::{REPLACED[base]} as {identifier(column)}"
        for column, type_, *_ in described
        if (base := type_.partition("(")[0]) in REPLACED
    )
    return f"select * replace ({casts}) from ({select}\n)" if casts else select


def retype(connection: duckdb.DuckDBPyConnection, table: str, column: str, type_: str) -> None:
    """Gives a column another type, empty. Must come before any row of the table is changed in a transaction.

    Args:
        connection: With a transaction under way.
        table: As it stands in SQL.
        column: Its name.
        type_: Its new type.
    """
    name = identifier(column)
    if is_lake(connection):
        connection.execute(f"alter table {table} drop column {name}")
        connection.execute(f"alter table {table} add column {name} {type_}")
    else:
        connection.execute(f"alter table {table} alter column {name} type {type_} using null")
