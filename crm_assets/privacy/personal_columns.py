"""Finds the columns of models that may hold personal data: those derived from such columns of raw tables."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import TypeVar

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from crm_assets.api import ENDPOINTS
from crm_assets.runner.lineage import Origin, Schemas, column_lineage, copied_columns
from crm_assets.runner.model import DBT_COLUMNS, SIDE_LOADED, Model, asset_behind
from crm_assets.source.schemas import resource_schema

HARMLESS = frozenset({"raw.sync_log", "raw.sync_details", "present.since"})
"""Tables without records."""

MESSAGES = "incomplete_because"
"""A column with the API's own messages, which can name people."""

NAMELESS = frozenset({(SIDE_LOADED, "array_name"), (SIDE_LOADED, "id")})
"""Columns with ids only, in a table whose records may be personal."""

Traced = TypeVar("Traced")

Tables = tuple[tuple[str, str, tuple[str, ...]], ...]
"""Schema, table and columns that a model reads: hashable, so that its lineage is computed once per process."""


def may_be_personal(table: str, column: str) -> bool:
    """Whether a column of a raw table may hold personal data.

    Undeclared columns and variant columns may, since they can hold anything.
    """
    resource = table.removeprefix("raw.")
    if (table in HARMLESS and column != MESSAGES) or column.startswith("_dlt_"):
        return False
    if resource not in ENDPOINTS:
        return (table, column) not in NAMELESS
    declared = resource_schema(resource).columns.get(column)
    return declared is None or declared.personal


def personal_columns(model: Model, schemas: Schemas) -> frozenset[str]:
    """The columns of a model that may hold personal data, in lower case: also stored ones that cannot be traced.

    Args:
        model: The model.
        schemas: The columns of all tables.

    Raises:
        sqlglot.errors.SqlglotError: The lineage of none can be traced.
    """
    if model.materialized == "seed":
        return frozenset()  # the project's own file
    above = {address: personal_columns(parent, schemas) for address, parent in model.parents.items()}
    traced = origins_of(model, schemas)
    personal = {
        column
        for column, origins in traced.items()
        for schema, table, origin in origins
        if (origin in above[f"{schema}.{table}"] if f"{schema}.{table}" in above else _raw(schema, table, origin))
    }
    # Of an earlier version of the model, or of an expression that hides what it reads.
    untraced = {*map(str.lower, stored_columns(model, schemas))} - traced.keys() - DBT_COLUMNS
    return frozenset(personal | untraced)


def stored_columns(model: Model, schemas: Schemas) -> Collection[str]:
    """The columns of a model's table or view; empty if there is none."""
    schema, _, table = model.address.partition(".")
    return schemas.get(schema, {}).get(table, {})


def origins_of(model: Model, schemas: Schemas) -> Mapping[str, Sequence[Origin]]:
    """The model's column lineage, as `column_lineage` returns it, also of what it selects if there are earlier rows.

    Raises:
        sqlglot.errors.SqlglotError: It cannot be traced.
    """
    first, later = (_lineage(sql, tables_of(model, schemas)) for sql in (model.sql, model.later_sql))
    if first is later:
        return first
    found = {column: {*first[column], *later[column]} for column in first.keys() & later.keys()}
    origins = {column: _beyond(model.address, column, found, {column}) for column in found}
    return {column: sorted(known) for column, known in origins.items() if known is not None}


def _beyond(
    own: str, column: str, found: Mapping[str, Collection[Origin]], seen: Collection[str]
) -> Collection[Origin] | None:
    """The origins of a column, in place of those that are the model's earlier rows; None if these are not traced."""
    origins = set[Origin]()
    for schema, table, name in found[column]:
        if f"{schema}.{table}".lower() != own:
            origins.add((schema, table, name))
        elif name.lower() not in found:
            return None
        elif name.lower() not in seen:
            more = _beyond(own, name.lower(), found, {*seen, name.lower()})
            if more is None:
                return None
            origins.update(more)
    return origins


def tables_of(model: Model, schemas: Schemas) -> Tables:
    """The tables that a model reads, and its own."""
    reads = [address.partition(".") for address in sorted(model.reads | {model.address})]
    return tuple((s, t, tuple(schemas.get(s, {}).get(t, ()))) for s, _, t in reads)


def copies_of(sql: str, tables: Tables) -> Mapping[str, Origin]:
    """The columns of a SELECT that are columns of tables, as `copied_columns` returns them.

    Raises:
        sqlglot.errors.SqlglotError: It cannot be traced.
    """
    return _traced(copied_columns, sql, tables)


@cache
def _lineage(sql: str, tables: Tables) -> Mapping[str, Sequence[Origin]]:
    return _traced(column_lineage, sql, tables)


def _traced(
    trace: Callable[[exp.Query, Schemas], Mapping[str, Traced]], sql: str, tables: Tables
) -> Mapping[str, Traced]:
    schemas: dict[str, dict[str, dict[str, str]]] = {}
    for schema, table, columns in tables:
        schemas.setdefault(schema, {})[table] = dict.fromkeys(columns, "unknown")
    query = sqlglot.parse_one(sql, dialect="duckdb")
    try:
        return trace(query, schemas) if isinstance(query, exp.Query) else {}
    except ValueError as error:
        raise SqlglotError(str(error)) from error


def _raw(schema: str, table: str, column: str) -> bool:
    return may_be_personal(asset_behind(f"{schema}.{table}"), column)
