"""Raw tables: their columns, declared and stored, the conversion of stored ones; their views in schema `present`.

The views, for staging models, show the rows that the CRM lists now. A row is present if the last complete full read of
its resource, or a later read, saw it; before the first such read all rows are. Text is trimmed, and empty text is null.
They are views, not macros, since every reader of a view that calls a macro would need the macro.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal
from typing import Any

import duckdb
import pyarrow as pa

from crm_assets.api import ENDPOINTS
from crm_assets.errors import counted
from crm_assets.source.http.exact_json import parse_json
from crm_assets.source.schemas import resource_schema
from crm_assets.source.typing.columns import FURTHER, typed_column, variant_name, varies
from crm_assets.warehouse.tables import PRESENT, RAW, exist, identifier, literal, relation, retype

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

SPACE = r"[\s\v\p{Z}\x1c-\x1f\x85]+"
"""What Python's `strip` removes, as a pattern of DuckDB. Its `trim` leaves tabs and line ends, and takes as long."""

VIEWS = f"""
select view_name, sql from duckdb_views() where database_name = current_database() and schema_name = '{PRESENT}'
"""


def raw_table(resource: str) -> str:
    """The quoted address of a resource's raw table, for statements."""
    return relation(f"{RAW}.{resource}")


def declare_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the raw tables of all resources as declared, if they do not exist.

    Models read several resources. The first read of one of them creates empty tables for the others, so that the models
    can be built. So first loads of two lists into a lake conflict as well, and the second sees whose it is.
    """
    for resource in ENDPOINTS:
        columns = resource_schema(resource).columns.items()
        typed = [
            f"{identifier(name)} {DUCKDB_TYPES[c.data_type]}{'' if c.nullable else ' not null'}" for name, c in columns
        ]
        typed += ["_dlt_load_id varchar not null", "_dlt_id varchar not null"]
        connection.execute(f"create table if not exists {raw_table(resource)} ({', '.join(typed)})")


def stored_columns(connection: duckdb.DuckDBPyConnection, resource: str) -> dict[str, str]:
    """Column -> DuckDB type of a raw table, which must exist, in its order."""
    return dict(connection.execute(COLUMNS, [raw_table(resource)]).fetchall())


def own_columns(connection: duckdb.DuckDBPyConnection, resource: str) -> dict[str, str]:
    """The same without dlt's columns."""
    stored = stored_columns(connection, resource)
    return {name: type_ for name, type_ in stored.items() if not name.startswith("_dlt_")}


def stored_types(connection: duckdb.DuckDBPyConnection, resource: str) -> dict[str, str]:
    """Column -> data type of a raw table, without dlt's own columns and variants; empty if there is no table.

    Types that the project does not create are treated as text.
    """
    own = own_columns(connection, resource) if exist(connection, f"{RAW}.{resource}") else {}
    return {name: DATA_TYPES.get(type_, "text") for name, type_ in own.items() if varies(name) is None}


@dataclass(frozen=True)
class TypeChange:
    """The conversion of a column to another type.

    Attributes:
        column: The column's name.
        stored: Its current DuckDB type.
        data_type: Its new data type.
        values: From `_converted`, of the rows that are not null.
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
        kept = f"; in {self.variant}: {counted(self.misfits, 'value')} that did not fit" if self.misfits else ""
        return f"{self.column} is now {DUCKDB_TYPES[self.data_type]}, was {self.stored}{kept}"


def adapt_columns(
    connection: duckdb.DuckDBPyConnection, resource: str, types: Mapping[str, str], columns: Iterable[str]
) -> tuple[list[str], list[TypeChange]]:
    """Gives a raw table columns for all that a load has, with their types, by the same rules as for new values.

    A further field gets a column when it is declared, or when `max_undeclared_columns` is raised.

    Args:
        connection: Within the load's transaction, before it changes rows.
        resource: The resource of the table.
        types: Column -> data type.
        columns: The columns of the load: new fields, newly declared ones and variant columns among them.

    Returns:
        The names of columns that were added, and the conversions of stored values.
    """
    table, changes = raw_table(resource), _type_changes(connection, resource, types)
    # DuckDB requires that a transaction changes columns, which empties them here, before it changes rows.
    _add_variants(connection, table, changes)
    for change in changes:
        if change.variant:
            retype(connection, table, change.variant, "varchar")
        retype(connection, table, change.column, DUCKDB_TYPES[change.data_type])
    stored = stored_columns(connection, resource)
    added = {name: types.get(name, "text") for name in columns if name not in stored}
    for name, data_type in added.items():
        connection.execute(f"alter table {table} add column {identifier(name)} {DUCKDB_TYPES[data_type]}")
    if added and FURTHER in stored:
        moved = _moves(connection, table, added)
        _add_variants(connection, table, moved)
        changes += moved
    for change in changes:
        variant = f", {identifier(change.variant)} = converted.variant" if change.variant else ""
        connection.register("converted", change.values)
        connection.execute(
            f"update {table} as stored set {identifier(change.column)} = converted.value{variant} "
            "from converted where stored._dlt_id = converted._dlt_id"
        )
        connection.unregister("converted")
    return [*added], changes


def _add_variants(connection: duckdb.DuckDBPyConnection, table: str, changes: Iterable[TypeChange]) -> None:
    for variant in filter(None, (change.variant for change in changes)):
        connection.execute(f"alter table {table} add column if not exists {identifier(variant)} varchar")


def _type_changes(connection: duckdb.DuckDBPyConnection, resource: str, types: Mapping[str, str]) -> list[TypeChange]:
    stored = stored_columns(connection, resource)
    wanted = dict(types) | {name: "text" for name in stored if name.endswith(variant_name(""))}
    changed = [name for name, type_ in stored.items() if name in wanted and type_ != DUCKDB_TYPES[wanted[name]]]
    changes = []
    for column in [name for name in changed if varies(name) not in changed]:  # a variant is converted with its column
        data_type, variant = wanted[column], variant_name(column)
        value = identifier(column) if stored[column] in DATA_TYPES else f"{identifier(column)}::varchar"
        text = f"{identifier(variant)}::varchar" if variant in stored else "null::varchar"
        found = connection.execute(
            f"select _dlt_id, {value} as value, {text} as variant "
            f"from {raw_table(resource)} where {value} is not null or {text} is not null"
        ).to_arrow_table()
        values = [
            _restored(value, stored[column], data_type) if value is not None else _restored(text, "VARCHAR", data_type)
            for value, text in zip(found["value"].to_pylist(), found["variant"].to_pylist(), strict=True)
        ]
        converted = _converted(data_type, found["_dlt_id"], values)
        changes.append(TypeChange(column, stored[column], data_type, converted, has_variant=variant in stored))
    return changes


def _moves(connection: duckdb.DuckDBPyConnection, table: str, added: Mapping[str, str]) -> list[TypeChange]:
    """The changes that fill added columns with their values in the JSON column, and remove these from it."""
    found = connection.execute(
        f"select _dlt_id, {FURTHER}::varchar from {table} where list_has_any(json_keys({FURTHER}), ?)", [list(added)]
    )
    values: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    while rows := found.fetchmany(ROWS_AT_A_TIME):
        for row_id, text in rows:
            fields = parse_json(text.encode())
            for name in added.keys() & fields.keys():
                values[name].append((row_id, fields.pop(name)))
            values[FURTHER].append((row_id, fields or None))
    types = {**added, FURTHER: "json"}
    return [
        TypeChange(name, f"in {FURTHER}", types[name], _converted(types[name], *zip(*pairs, strict=True)))
        for name, pairs in values.items()
    ]


def _converted(data_type: str, row_ids: Any, values: Sequence[Any]) -> pa.Table:
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


def show_present(connection: duckdb.DuckDBPyConnection, loaded: str, *, columns_changed: bool) -> bool:
    """Creates all missing views, and the one of the loaded resource again if it differs. Returns whether it did.

    In a lake each new view is a new version of the schema, which every process then reads as a whole from the catalog.

    Args:
        connection: Within the load's transaction.
        loaded: The resource.
        columns_changed: Whether columns were added or have another type. A view keeps the types that its columns had.
    """
    stored, differs = dict(connection.execute(VIEWS).fetchall()), False
    for resource in ENDPOINTS:
        if resource in stored and resource != loaded:
            continue
        select = _select(connection, resource)
        [[normal]] = connection.execute("select json_deserialize_sql(json_serialize_sql(?))", [select]).fetchall()
        if columns_changed or not stored.get(resource, "").endswith(f" AS {normal};"):
            connection.execute(present_view(connection, resource))
            differs |= resource == loaded
    return differs


def present_view(connection: duckdb.DuckDBPyConnection, resource: str) -> str:
    """The statement that creates a resource's view, with the current columns of its raw table."""
    return f"create or replace view {relation(f'{PRESENT}.{resource}')} as {_select(connection, resource)}"


def _select(connection: duckdb.DuckDBPyConnection, resource: str) -> str:
    columns = ", ".join(_shown(name, type_) for name, type_ in stored_columns(connection, resource).items())
    since = f"select load_id from present.since where resource = {literal(resource)}"
    return f"select {columns} from {raw_table(resource)} where _dlt_load_id >= coalesce(({since}), '')"


def _shown(name: str, type_: str) -> str:
    # Variant columns and dlt's own columns are not changed.
    if type_ != DUCKDB_TYPES["text"] or name.startswith("_dlt_") or varies(name) is not None:
        return identifier(name)
    return f"nullif(regexp_replace({identifier(name)}, '^{SPACE}|{SPACE}$', '', 'g'), '') as {identifier(name)}"
