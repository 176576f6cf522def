"""All tables of a DuckDB file copied into another warehouse, and every value compared."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from crm_assets.warehouse.names import identifier, literal
from crm_assets.warehouse.storable import storable
from crm_assets.warehouse.transactions import committed

FILE = "moved_file"
"""What the file is attached as."""

TABLES = """
select
    table_schema,
    table_name
from information_schema.tables
where table_catalog = ? and table_type = 'BASE TABLE'
order by all
"""


class NotMoved(Exception):
    """The tables could not be moved. The warehouse is as it was; the message says why."""


@dataclass(frozen=True)
class Moved:
    """A table that was moved: its address and how many rows it has."""

    address: str
    rows: int


def move_tables(connection: duckdb.DuckDBPyConnection, file: Path) -> list[Moved]:
    """Copies all tables of a file, in one transaction that is committed only if every value has come.

    Views are left behind: the next run makes them. So are primary keys and defaults, which the project's tables lack.

    Args:
        connection: To the warehouse, as the only one who writes to it.
        file: A DuckDB file that nobody writes to.

    Raises:
        NotMoved: The warehouse has one of the tables already, or cannot hold a value.
    """
    connection.execute(f"attach {literal(str(file))} as {FILE} (read_only)")
    try:
        return committed(connection, lambda: _move(connection))
    finally:
        connection.execute(f"detach {FILE}")


def _move(connection: duckdb.DuckDBPyConnection) -> list[Moved]:
    [[catalog]] = connection.execute("select current_database()").fetchall()
    found = connection.execute(TABLES, [FILE]).fetchall()
    taken = set(found) & set(connection.execute(TABLES, [catalog]).fetchall())
    if taken:
        listed = ", ".join(sorted(".".join(address) for address in taken))
        raise NotMoved(f"the warehouse has tables of these names already: {listed}. Move into an empty one")
    return [_move_table(connection, schema, table) for schema, table in found]


def _move_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> Moved:
    name = f"{identifier(schema)}.{identifier(table)}"
    try:
        select = storable(connection, f"select * from {FILE}.{name}")
        connection.execute(f"create schema if not exists {identifier(schema)}")
        required = {
            column
            for column, _, nullable, *_ in connection.execute(f"describe {FILE}.{name}").fetchall()
            if nullable == "NO"
        }
        columns = ", ".join(
            f"{identifier(column)} {type_}{' not null' if column in required else ''}"
            for column, type_, *_ in connection.execute(f"describe {select}").fetchall()
        )
        connection.execute(f"create table {name} ({columns})")
        connection.execute(f"insert into {name} {select}")
    except duckdb.Error as error:
        raise NotMoved(f"{schema}.{table} cannot be kept there: {type(error).__name__}") from None
    [[different]] = connection.execute(
        f"select count(*) from (({select} except all from {name}) union all (from {name} except all {select}))"
    ).fetchall()
    [[rows]] = connection.execute(f"select count(*) from {name}").fetchall()
    if different:
        raise NotMoved(f"{different:,} rows of {schema}.{table} did not come as they were")
    return Moved(f"{schema}.{table}", rows)
