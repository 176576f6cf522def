"""Copies all tables of a DuckDB file into another warehouse, and compares every value."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb

from crm_assets.errors import WarehouseError
from crm_assets.warehouse.lake_sql import comment, with_lake_types
from crm_assets.warehouse.names import PRESENT, identifier, literal, stored_tables
from crm_assets.warehouse.transactions import committed

FILE = "moved_file"
"""The catalog name under which the file is attached."""

TABLES = f"""
select schema_name, table_name, comment
from duckdb_tables()
where database_name = '{FILE}'
order by all
"""

COMMENTS = f"""
select column_name, comment
from duckdb_columns()
where database_name = '{FILE}' and schema_name = ? and table_name = ? and comment is not null
"""

PRESENT_VIEWS = f"""
select sql
from duckdb_views()
where database_name = '{FILE}' and schema_name = '{PRESENT}'
order by view_name <> 'since'
"""
"""The others read view `since`."""


@dataclass(frozen=True)
class Moved:
    """A copied table: its address and its number of rows."""

    address: str
    rows: int


def move_tables(connection: duckdb.DuckDBPyConnection, file: Path) -> list[Moved]:
    """Copies all tables of a file, in one transaction that is committed only if all values are equal.

    Of the views, only those of schema `present` are copied: models create the others. Primary keys and defaults, which
    the project's tables do not have, are not copied.

    Args:
        connection: The warehouse, for writing, without other writers.
        file: A DuckDB file without writers.

    Raises:
        WarehouseError: The warehouse already has one of the tables, or cannot store a value.
    """
    moved = committed(connection, partial(_move, connection, file))
    connection.execute(f"detach {FILE}")
    return moved


def _move(connection: duckdb.DuckDBPyConnection, file: Path) -> list[Moved]:
    # After a failed transaction it is not attached any more.
    connection.execute(f"attach {literal(str(file))} as {FILE} (read_only)")
    found = connection.execute(TABLES).fetchall()
    taken = {(schema, table) for schema, table, _ in found} & {row[:2] for row in stored_tables(connection)}
    if taken:
        listed = ", ".join(sorted(".".join(address) for address in taken))
        raise WarehouseError(f"the warehouse already has tables with these names: {listed}. Use an empty warehouse")
    moved = [_move_table(connection, *row) for row in found]
    connection.execute(f"create schema if not exists {PRESENT}")
    for (statement,) in connection.execute(PRESENT_VIEWS).fetchall():
        connection.execute(statement)
    return moved


def _move_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str, description: str | None) -> Moved:
    name = identifier(schema, table)
    try:
        select = with_lake_types(connection, f"select * from {FILE}.{name}")
        connection.execute(f"create schema if not exists {identifier(schema)}")
        stored = connection.execute(f"describe {FILE}.{name}").fetchall()
        required = {column for column, _, nullable, *_ in stored if nullable == "NO"}
        columns = ", ".join(
            f"{identifier(column)} {type_}{' not null' if column in required else ''}"
            for column, type_, *_ in connection.execute(f"describe {select}").fetchall()
        )
        connection.execute(f"create table {name} ({columns})")
        connection.execute(f"insert into {name} {select}")
    except duckdb.Error as error:
        raise WarehouseError(f"the warehouse cannot store {schema}.{table}: {type(error).__name__}") from None
    [[different]] = connection.execute(
        f"select count(*) from (({select} except all from {name}) union all (from {name} except all {select}))"
    ).fetchall()
    [[rows]] = connection.execute(f"select count(*) from {name}").fetchall()
    if different:
        raise WarehouseError(f"{different:,} rows of {schema}.{table} differ after copying")
    if description:
        of_columns = dict(connection.execute(COMMENTS, [schema, table]).fetchall())
        comment(connection, "table", (schema, table), description, of_columns, is_new=True)
    return Moved(f"{schema}.{table}", rows)
