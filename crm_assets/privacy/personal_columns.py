"""Finds the columns of models that may hold personal data: those made from such columns of raw tables.

Tables with rows of earlier builds cannot be rebuilt: what a policy has to do to each of their columns is known.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from crm_assets.api import ENDPOINTS, ID
from crm_assets.runner.lineage import Origin, Schemas, column_lineage, copied_columns, known_columns
from crm_assets.runner.model import DBT_COLUMNS, SIDE_LOADED, Model, asset_behind
from crm_assets.source.schemas import Column, resource_schema
from crm_assets.warehouse.tables import RAW

SCD_ID = "dbt_scd_id"

HOLDS_TEXT = re.compile("VARCHAR|JSON|BLOB|ENUM|BIT|VARIANT")
"""Found in the types of columns that can hold a text, also within a list or a structure."""

HARMLESS = frozenset({"raw.sync_log", "raw.sync_details", "present.since"})
"""Tables without records."""

MESSAGES = "incomplete_because"
"""A column with the API's own messages, which can name people."""

NAMELESS = frozenset({(SIDE_LOADED, "array_name"), (SIDE_LOADED, "id")})
"""Columns with ids only, in a table whose records may be personal."""

Tables = tuple[tuple[str, str, tuple[str, ...]], ...]
"""Schema, table and columns that a model reads: hashable, so that its lineage is computed once per process."""


def may_be_personal(table: str, column: str) -> bool:
    """Whether a column of a raw table may hold personal data.

    Undeclared columns and variant columns may, since they can hold anything.
    """
    if (table in HARMLESS and column != MESSAGES) or column.startswith("_dlt_"):
        return False
    declared = _declared(table, column)
    return (table, column) not in NAMELESS if declared is None else declared.personal


def personal_columns(model: Model, schemas: Schemas) -> Collection[str]:
    """The columns of a model that may hold personal data, in lower case: also stored ones that cannot be traced.

    Args:
        model: The model.
        schemas: The columns of all tables.

    Raises:
        sqlglot.errors.SqlglotError: The lineage of none can be traced.
    """
    origins = raw_origins(model, schemas)
    # Of an earlier version of the model, or of an expression that hides what it reads.
    untraced = {*map(str.lower, stored_columns(model, schemas))} - origins.keys() - DBT_COLUMNS
    return untraced.union(column for column, found in origins.items() if any(may_be_personal(*raw) for raw in found))


def stored_columns(model: Model, schemas: Schemas) -> Collection[str]:
    """The columns of a model's table or view; empty if there is none."""
    schema, _, table = model.address.partition(".")
    return schemas.get(schema, {}).get(table, {})


def origins_of(model: Model, schemas: Schemas) -> Mapping[str, Sequence[Origin]]:
    """The column lineage of a model, as `column_lineage` returns it, also of its SELECT where there are earlier rows.

    Raises:
        sqlglot.errors.SqlglotError: It cannot be traced.
    """
    first, later = (_traced(column_lineage, sql, tables_of(model, schemas)) for sql in (model.sql, model.later_sql))
    if first is later:
        return first
    return {column: sorted({*first[column], *later[column]}) for column in first.keys() & later.keys()}


def raw_origins(model: Model, schemas: Schemas) -> Mapping[str, Collection[tuple[str, str]]]:
    """Column of a model, in lower case -> the raw tables and their columns that it is made from, also through models.

    A column that cannot be traced is missing. The errors are those of `origins_of`.
    """
    if model.materialized == "seed":
        return dict.fromkeys(map(str.lower, stored_columns(model, schemas)), ())  # the project's own file
    above = {address: raw_origins(parent, schemas) for address, parent in model.parents.items()}
    origins, found = origins_of(model, schemas), {}

    def traced(column: str, seen: Collection[str]) -> Iterator[tuple[str, str]]:
        for schema, table, name in origins[column]:
            address, read = asset_behind(f"{schema}.{table}".lower()), name.lower()
            if address == model.address:  # its own earlier rows
                yield from traced(read, {*seen, read}) if read not in seen else ()
            elif address not in above:
                yield address, read
            elif read not in DBT_COLUMNS:
                yield from above[address][read]

    for column in origins:
        with suppress(KeyError):
            found[column] = {*traced(column, {column})}
    return found


def tables_of(model: Model, schemas: Schemas) -> Tables:
    """The tables that a model reads, and its own."""
    reads = [address.partition(".") for address in sorted(model.reads | {model.address})]
    return tuple((s, t, tuple(schemas.get(s, {}).get(t, ()))) for s, _, t in reads)


@cache
def _traced(trace: Callable[[exp.Query, Schemas], Mapping[str, Any]], sql: str, tables: Tables) -> Mapping[str, Any]:
    """What `trace` finds in a SELECT. Raises SqlglotError where it finds nothing."""
    schemas: dict[str, dict[str, dict[str, str]]] = {}
    for schema, table, columns in tables:
        schemas.setdefault(schema, {})[table] = dict.fromkeys(columns, "unknown")
    query = sqlglot.parse_one(sql, dialect="duckdb")
    try:
        return trace(query, schemas) if isinstance(query, exp.Query) else {}
    except ValueError as error:
        raise SqlglotError(str(error)) from error


@dataclass(frozen=True)
class HistoryColumn:
    """A column of a table that cannot be rebuilt.

    Attributes:
        name: Its name, in lower case.
        is_personal: Whether everything in it is personal, or may be.
        copy_of: The resource and the declared column whose values it has; None if it has others.
        ids_of: The resources whose ids it has as a key of the table.
    """

    name: str
    is_personal: bool
    copy_of: tuple[str, str] | None = None
    ids_of: Collection[str] = ()

    @property
    def may_hold_names(self) -> bool:
        """Whether it is personal, or a JSON column with undeclared fields while these are kept."""
        return self.is_personal or (self.copy_of is not None and _is_json(*self.copy_of))


Histories = Mapping[str, Sequence[HistoryColumn]]
"""Address of a table that cannot be rebuilt -> its columns."""


def histories_of(connection: duckdb.DuckDBPyConnection, models: Iterable[Model]) -> Histories:
    """The tables of models that keep rows of earlier builds."""
    schemas = known_columns(connection)
    return {
        model.address: [*_columns(model, schemas)]
        for model in models
        if model.keeps_rows and stored_columns(model, schemas)
    }


def _columns(model: Model, schemas: Schemas) -> Iterator[HistoryColumn]:
    schema, _, table = model.address.partition(".")
    types = {name.lower(): type_ for name, type_ in schemas[schema][table].items()}
    keys = {key.lower() for key in model.unique_key}
    try:
        personal, copies = personal_columns(model, schemas), _copies(model, schemas)
        origins = raw_origins(model, schemas)
    except SqlglotError:
        personal, copies, origins = types.keys(), {}, {}
    for name in types.keys() - DBT_COLUMNS:
        made_from = origins.get(name, ())
        # What is taken out of a JSON column may be an undeclared field.
        is_taken_out = name not in copies and any(_is_json(*raw) for raw in made_from)
        is_personal = name in personal or (is_taken_out and HOLDS_TEXT.search(types[name]) is not None)
        ids_of = {address.removeprefix(f"{RAW}.") for address, column in made_from if name in keys and column == ID}
        yield HistoryColumn(name, is_personal, copies.get(name), ids_of)
    if SCD_ID in types and not keys.isdisjoint(personal):
        yield HistoryColumn(SCD_ID, is_personal=True)  # a hash of the key without a secret


def _copies(model: Model, schemas: Schemas) -> Mapping[str, tuple[str, str]]:
    """Column of a model -> the resource and the declared column whose values it has, directly or through models."""
    if model.materialized == "seed":
        return {}  # the project's own file
    first, later = (_traced(copied_columns, sql, tables_of(model, schemas)) for sql in (model.sql, model.later_sql))
    found = {}
    for column, origin in first.items():
        schema, table, name = origin
        address = asset_behind(f"{schema}.{table}".lower())
        if later.get(column) != origin:
            continue
        if parent := model.parents.get(address):
            found[column] = _copies(parent, schemas).get(name.lower())
        elif _declared(address, name):
            found[column] = (address.removeprefix(f"{RAW}."), name)
    return {column: copied for column, copied in found.items() if copied}


def _declared(address: str, column: str) -> Column | None:
    """The declared column of a raw table; None for any other."""
    resource = address.removeprefix(f"{RAW}.")
    return resource_schema(resource).columns.get(column) if resource in ENDPOINTS else None


def _is_json(address: str, column: str) -> bool:
    declared = _declared(address, column)
    return declared is not None and declared.data_type == "json"
