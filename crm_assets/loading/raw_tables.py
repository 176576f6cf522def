"""The columns of raw tables: declared, stored, the conversion of stored ones, further fields that get columns."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal
from typing import Any

import duckdb
import pyarrow as pa

from crm_assets.source.http.exact_json import parse_json
from crm_assets.source.schemas import resource_schema
from crm_assets.source.typing.columns import FURTHER, typed_column, variant_name, varies
from crm_assets.warehouse.lake_sql import retype
from crm_assets.warehouse.names import RAW, exist, identifier, relation

DUCKDB_TYPES: Mapping[str, str] = {
    "text": "VARCHAR",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "decimal": "DECIMAL(38,9)",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
    "bool": "BOOLEAN",
    "json": "JSON",
}
"""dlt's type -> the type of its column in DuckDB."""

DATA_TYPES = {duckdb_type: data_type for data_type, duckdb_type in DUCKDB_TYPES.items()}

EXACT = Context(prec=38)
"""Python's default context silently rounds to 28 digits."""

ROWS_AT_A_TIME = 1000

COLUMNS = "select name, type from pragma_table_info(?)"
"""For `information_schema.columns` DuckDB binds all views and looks at all tables."""


def raw_table(resource: str) -> str:
    """The quoted address of a resource's raw table, for statements."""
    return relation(f"{RAW}.{resource}")


def declare_table(connection: duckdb.DuckDBPyConnection, resource: str) -> None:
    """Creates a resource's raw table as declared, if it does not exist.

    Models read several resources. The first read of one of them creates empty tables for the others, so that the models
    can be built.
    """
    columns = resource_schema(resource).columns.items()
    typed = [
        f"{identifier(name)} {DUCKDB_TYPES[c.data_type]}{'' if c.nullable else ' not null'}" for name, c in columns
    ]
    typed += ["_dlt_load_id varchar not null", "_dlt_id varchar not null"]
    connection.execute(f"create table if not exists {raw_table(resource)} ({', '.join(typed)})")


def stored_columns(connection: duckdb.DuckDBPyConnection, resource: str) -> dict[str, str]:
    """Column -> DuckDB type of a raw table, which must exist, in its order."""
    return dict(connection.execute(COLUMNS, [raw_table(resource)]).fetchall())


def stored_types(connection: duckdb.DuckDBPyConnection, resource: str) -> dict[str, str]:
    """Column -> data type of a raw table, without dlt's own columns and variants; empty if there is no table.

    Types that the project does not create are treated as text.
    """
    if not exist(connection, f"{RAW}.{resource}"):
        return {}
    return {
        name: DATA_TYPES.get(type_, "text")
        for name, type_ in stored_columns(connection, resource).items()
        if not name.startswith("_dlt_") and varies(name) is None
    }


def add_columns(
    connection: duckdb.DuckDBPyConnection, resource: str, columns: Iterable[str], types: Mapping[str, str]
) -> dict[str, str]:
    """Adds missing columns: new fields, newly declared fields, and variant columns. Returns their data types."""
    stored = stored_columns(connection, resource)
    added = {name: types.get(name, "text") for name in columns if name not in stored}
    for name, data_type in added.items():
        connection.execute(f"alter table {raw_table(resource)} add column {identifier(name)} {DUCKDB_TYPES[data_type]}")
    return added


@dataclass(frozen=True)
class TypeChange:
    """The conversion of a column to another type.

    Attributes:
        column: The column's name.
        stored: Its current DuckDB type.
        data_type: Its new data type.
        values: From `converted`, of the rows that are not null.
        has_variant: Whether there is a variant column already.
    """

    column: str
    stored: str
    data_type: str
    values: pa.Table
    has_variant: bool = False

    @property
    def misfits(self) -> int:
        """How many values do not fit."""
        return len(self.values) - int(self.values["variant"].null_count)

    @property
    def variant(self) -> str | None:
        """The variant column; None if all values fit and there is none."""
        return variant_name(self.column) if self.has_variant or self.misfits else None

    def __str__(self) -> str:
        """A message for the log, without values."""
        kept = f"; {self.misfits:,} values that do not fit are in {self.variant}" if self.misfits else ""
        return f"{self.column} is now {DUCKDB_TYPES[self.data_type]}, was {self.stored}{kept}"


def type_changes(connection: duckdb.DuckDBPyConnection, resource: str, types: Mapping[str, str]) -> list[TypeChange]:
    """The changes that give stored columns these types, by the same rules as for new values."""
    stored = stored_columns(connection, resource)
    wanted = dict(types) | {name: "text" for name in stored if name.endswith(variant_name(""))}
    changed = [name for name, type_ in stored.items() if name in wanted and type_ != DUCKDB_TYPES[wanted[name]]]
    # A variant column is converted together with its column.
    return [
        _type_change(connection, resource, name, wanted[name], stored)
        for name in changed
        if varies(name) not in changed
    ]


def _type_change(
    connection: duckdb.DuckDBPyConnection, resource: str, column: str, data_type: str, stored: Mapping[str, str]
) -> TypeChange:
    name, variant = identifier(column), variant_name(column)
    has_variant = variant in stored
    value = name if stored[column] in DATA_TYPES else f"{name}::varchar"
    text = f"{identifier(variant)}::varchar" if has_variant else "null::varchar"
    found = connection.execute(
        f"select _dlt_id, {value} as value, {text} as variant "
        f"from {raw_table(resource)} where {value} is not null or {text} is not null"
    ).to_arrow_table()
    values = [
        _restored(value, stored[column], data_type) if value is not None else _restored(text, "VARCHAR", data_type)
        for value, text in zip(found["value"].to_pylist(), found["variant"].to_pylist(), strict=True)
    ]
    return TypeChange(
        column, stored[column], data_type, converted(data_type, found["_dlt_id"], values), has_variant=has_variant
    )


def converted(data_type: str, row_ids: Any, values: Sequence[Any]) -> pa.Table:
    """Values as the type by the same rules as new ones: `value` of those that fit, `variant` of the others."""
    fitting, misfits = typed_column(data_type, values)
    texts = pa.nulls(len(values), pa.string()) if misfits is None else misfits
    return pa.table({"_dlt_id": row_ids, "value": fitting, "variant": texts})


def _restored(value: Any, stored: str, data_type: str) -> Any:
    """The JSON value of a stored value."""
    is_json = stored == DUCKDB_TYPES["json"]
    if is_json or (data_type == "json" and isinstance(value, str) and value[:1] in {"{", "["}):
        with suppress(ValueError):
            return parse_json(value.encode())
    elif isinstance(value, date):  # a datetime, too
        return value.isoformat().replace("+00:00", "Z")
    elif isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else f"{value.normalize(EXACT):f}"
    return value


def alter(connection: duckdb.DuckDBPyConnection, resource: str, changes: Sequence[TypeChange]) -> None:
    """Gives columns their new types, empty. DuckDB requires this before the transaction changes rows."""
    table = raw_table(resource)
    add_variants(connection, resource, changes)
    for change in changes:
        if change.variant:
            retype(connection, table, change.variant, "varchar")
        retype(connection, table, change.column, DUCKDB_TYPES[change.data_type])


def add_variants(connection: duckdb.DuckDBPyConnection, resource: str, changes: Sequence[TypeChange]) -> None:
    """Adds the variant columns that changes need, unless they exist."""
    for variant in filter(None, (change.variant for change in changes)):
        name = identifier(variant)
        connection.execute(f"alter table {raw_table(resource)} add column if not exists {name} varchar")


def moves(connection: duckdb.DuckDBPyConnection, resource: str, added: Mapping[str, str]) -> list[TypeChange]:
    """The changes that fill columns with their values in the JSON column, and remove these from it.

    A field gets a column when it is declared, or when `max_undeclared_columns` is raised. Adds variant columns for
    values that do not fit.

    Args:
        connection: Within a load's transaction, before it changes rows.
        resource: The resource of the table.
        added: Column -> data type of the columns that the load adds.
    """
    if FURTHER not in stored_columns(connection, resource) or not added:
        return []
    found = connection.execute(
        f"select _dlt_id, {FURTHER}::varchar from {raw_table(resource)} where list_has_any(json_keys({FURTHER}), ?)",
        [list(added)],
    )
    values: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    while rows := found.fetchmany(ROWS_AT_A_TIME):
        for row_id, text in rows:
            fields = parse_json(text.encode())
            for name in added.keys() & fields.keys():
                values[name].append((row_id, fields.pop(name)))
            values[FURTHER].append((row_id, fields or None))
    moved = [
        TypeChange(name, f"in {FURTHER}", data_type, converted(data_type, *zip(*pairs, strict=True)))
        for name, pairs in values.items()
        for data_type in [added.get(name, "json")]
    ]
    add_variants(connection, resource, moved)
    return moved


def fill(connection: duckdb.DuckDBPyConnection, resource: str, changes: Sequence[TypeChange]) -> None:
    """Writes the converted values into their columns."""
    for change in changes:
        variant = f", {identifier(change.variant)} = converted.variant" if change.variant else ""
        connection.register("converted", change.values)
        connection.execute(
            f"update {raw_table(resource)} as stored "
            f"set {identifier(change.column)} = converted.value{variant} "
            "from converted where stored._dlt_id = converted._dlt_id"
        )
        connection.unregister("converted")
