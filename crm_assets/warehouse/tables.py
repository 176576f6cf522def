"""Tables in SQL, in a file as in a lake: quoted names and values, which exist, types that can be stored, comments."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp


def statements_of(module: str) -> Mapping[str, str]:
    """Name -> statement, from the `.sql` file beside a module: each follows a comment that begins with its name."""
    text = Path(module).with_suffix(".sql").read_text(encoding="utf-8")
    _, *parts = re.split(r"^-- (\w+):.*\n(?:--.*\n)*", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))


SQL = statements_of(__file__)


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

SMALL = 512 * 2**20
"""Bytes. A smaller warehouse is used with one thread: several take more CPU time, and end later on a busy machine."""


def kind_of_catalog(connection: duckdb.DuckDBPyConnection) -> str:
    """The kind of a connection's default catalog: `duckdb` for a file, `ducklake`, `motherduck`."""
    if known := getattr(connection, "kind", ""):
        return str(known)
    [[kind]] = connection.execute(SQL["kind"]).fetchall()
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
    found = connection.execute(SQL["tables"].format(tables=tables)).fetchall()
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
    """Whether a view or table, and all that it reads, is there. `view`: its address, quoted where it has to be."""
    try:
        connection.execute(f"describe {view}")
    except duckdb.Error:
        return False
    return True


def columns_of(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """The columns of a quoted table or subquery with their types."""
    return {name: type_ for name, type_, *_ in connection.execute(f"describe from {relation}").fetchall()}


REPLACED: Mapping[str, str] = {
    "HUGEINT": "decimal(38, 0)",
    "UHUGEINT": "decimal(38, 0)",
    "BIT": "varchar",
    "ENUM": "varchar",
}
"""Type -> its replacement in Parquet files and lakes, which holds the same values or refuses them. Parquet would round
the first two; DuckLake does not support the others."""

NOT_HELD = re.compile(r"\b(U?HUGEINT|BIGNUM|BIT|ENUM|UNION|INTERVAL|TIME_NS|TIME WITH TIME ZONE)\b|\[\d+\]")
"""Found in types of which Parquet files lose digits, signs or offsets, or that DuckLake or other engines refuse, also
within a list or a structure. Writing a `TIME_NS` ends the process."""


def with_lake_types(connection: duckdb.DuckDBPyConnection, select: str) -> str:
    """A SELECT whose result the default catalog can store exactly. Line numbers do not change, for error messages.

    Raises:
        duckdb.Error: DuckDB refuses the SELECT, or the catalog cannot hold a column.
    """
    return with_parquet_types(connection, select) if is_lake(connection) else select


def with_parquet_types(
    connection: duckdb.DuckDBPyConnection, select: str, replaced: Mapping[str, str] = REPLACED
) -> str:
    """A SELECT whose result Parquet can store exactly: `select` itself, or one around it.

    Raises:
        duckdb.Error: DuckDB refuses the SELECT, or there is none for a column.
    """
    casts = []
    for column, type_, *_ in connection.execute(f"describe {select}").fetchall():
        base, _, rest = type_.partition("(")
        if base in replaced:  # after the values of an ENUM, [] says that it is a list
            casts.append(f"{identifier(column)}::{replaced[base]}{rest.rpartition(')')[2]} as {identifier(column)}")
        elif NOT_HELD.search(type_):
            raise duckdb.BinderException(f"Parquet cannot hold {column}, which is {type_}. Cast it in the model's SQL")
    return f"select * replace ({', '.join(casts)}) from ({select}\n)" if casts else select


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


def comment(  # noqa: PLR0913 # all are needed, and there are three callers
    connection: duckdb.DuckDBPyConnection,
    kind: str,
    address: tuple[str, str],
    description: str,
    columns: Mapping[str, str],
    *,
    stored: Mapping[str, str] | None = None,
) -> bool:
    """Sets the comments on a table or view and on its columns, unless they are already set.

    DuckDB's UI, DBeaver and Metabase show them. Returns whether one of a column was set.

    Args:
        connection: The warehouse, for writing.
        kind: `table` or `view`.
        address: Its schema and its name.
        description: What a row is.
        columns: Column -> description. Columns that the table does not have are ignored.
        stored: Its columns -> their comments now; None: they are read.
    """
    relation = identifier(*address)
    comments = [f"comment on {kind} {relation} is {literal(description.strip())}"]
    if kind == "table" or kind_of_catalog(connection) == "duckdb":  # only in a file columns of views can have comments
        stored = dict(connection.execute(SQL["commented"], address).fetchall()) if stored is None else stored
        comments += [
            f"comment on column {relation}.{identifier(column)} is {literal(text.strip())}"
            for column, text in columns.items()
            if stored.get(column) not in {None, text.strip()}
        ]
    connection.execute(";\n".join(comments))
    return len(comments) > 1
