"""The columns of tables with rows of earlier builds, which cannot be rebuilt: what a policy has to do to each."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
from sqlglot.errors import SqlglotError

from crm_assets.api import ENDPOINTS
from crm_assets.privacy.personal_columns import copies_of, origins_of, personal_columns, stored_columns, tables_of
from crm_assets.runner.lineage import Origin, Schemas, known_columns
from crm_assets.runner.model import DBT_COLUMNS, Model, asset_behind
from crm_assets.source.schemas import resource_schema
from crm_assets.warehouse.names import RAW

SCD_ID = "dbt_scd_id"

HOLDS_TEXT = re.compile("VARCHAR|JSON|BLOB|ENUM|BIT")
"""Found in the types of columns that can hold a text, also within a list or a structure."""


@dataclass(frozen=True)
class HistoryColumn:
    """A column of a table that cannot be rebuilt.

    Attributes:
        name: Its name, in lower case.
        is_personal: Whether everything in it is personal, or may be.
        copy_of: The resource and the declared column whose values it has; None if it has others.
    """

    name: str
    is_personal: bool
    copy_of: tuple[str, str] | None = None

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


def _columns(model: Model, schemas: Schemas) -> Iterable[HistoryColumn]:
    schema, _, table = model.address.partition(".")
    types = {name.lower(): type_ for name, type_ in schemas[schema][table].items()}
    try:
        personal, copies = personal_columns(model, schemas), _copies(model, schemas)
        of_json = {name for name in types if any(_is_json(*raw) for raw in _raw_columns(model, name, schemas))}
    except SqlglotError:
        personal, copies, of_json = frozenset(types), {}, set()
    for name in types.keys() - DBT_COLUMNS:
        # What is taken out of a JSON column may be an undeclared field.
        is_taken_out = name in of_json and name not in copies and HOLDS_TEXT.search(types[name]) is not None
        yield HistoryColumn(name, name in personal or is_taken_out, copies.get(name))
    if SCD_ID in types and any(key.lower() in personal for key in model.unique_key):
        yield HistoryColumn(SCD_ID, is_personal=True)  # a hash of the key without a secret


def _copies(model: Model, schemas: Schemas) -> Mapping[str, tuple[str, str]]:
    """Column of a model -> the resource and the declared column whose values it has, directly or through models."""
    if model.materialized == "seed":
        return {}  # the project's own file
    first, later = (copies_of(sql, tables_of(model, schemas)) for sql in (model.sql, model.later_sql))
    found = {}
    for column, origin in first.items():
        if later.get(column) == origin and (copied := _copied(model, origin, schemas)):
            found[column] = copied
    return found


def _copied(model: Model, origin: Origin, schemas: Schemas) -> tuple[str, str] | None:
    schema, table, column = origin
    address = asset_behind(f"{schema}.{table}".lower())
    if parent := model.parents.get(address):
        return _copies(parent, schemas).get(column.lower())
    resource = address.removeprefix(f"{RAW}.")
    return (resource, column) if resource in ENDPOINTS and column in resource_schema(resource).columns else None


def _raw_columns(model: Model, column: str, schemas: Schemas) -> Collection[tuple[str, str]]:
    """The resources and columns that a column is made from, directly or through models."""
    found = set[tuple[str, str]]()
    if model.materialized == "seed":
        return found
    for schema, table, name in origins_of(model, schemas).get(column, ()):
        address = asset_behind(f"{schema}.{table}".lower())
        if parent := model.parents.get(address):
            found.update(_raw_columns(parent, name.lower(), schemas))
        else:
            found.add((address.removeprefix(f"{RAW}."), name))
    return found


def _is_json(resource: str, column: str) -> bool:
    if resource not in ENDPOINTS:
        return False
    declared = resource_schema(resource).columns.get(column)
    return declared is not None and declared.data_type == "json"
