"""Builds models in DuckDB. A model is built, tested and replaced in one transaction, so that readers see whole tables.

Data tests of severity error run inside this transaction. If one fails, it is rolled back: the table keeps its earlier
rows, and models that depend on it are not built. Tests of severity warn run after the transaction.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import duckdb

from crm_assets.errors import ModelError, WrongRows
from crm_assets.runner.model import Model
from crm_assets.runner.seeds import first_rejected, forget_rejects
from crm_assets.runner.snapshots import columns_of, take_snapshot
from crm_assets.runner.test_runs import Outcome, run_test, store_failures
from crm_assets.runner.unchanged import record_build, version_of
from crm_assets.runner.variables import variables_of
from crm_assets.warehouse.comments import comment
from crm_assets.warehouse.duckdb_messages import is_about_missing_table, line, reason
from crm_assets.warehouse.lake_sql import with_lake_types
from crm_assets.warehouse.names import existing_tables, identifier
from crm_assets.warehouse.transactions import committed
from crm_assets.yaml_files import line_of


@dataclass(frozen=True)
class Build:
    """The result of a build.

    Attributes:
        outcomes: The outcomes of its tests. Those of severity error passed.
        rows_before: Rows of the table before the build; None without a table.
        rows_after: Rows of the table or view.
        seconds: The time of build and tests.
    """

    outcomes: Sequence[Outcome]
    rows_before: int | None
    rows_after: int
    seconds: float


def build(connection: duckdb.DuckDBPyConnection, model: Model, *, full_refresh: bool = False) -> Build:
    """Replaces the model's view or table with the result of its SELECT; a model that keeps rows is updated instead.

    Descriptions become comments on the table and its columns.

    Args:
        connection: The warehouse, for writing.
        model: The model to build.
        full_refresh: Whether to rebuild an incremental model or a snapshot without its earlier rows.

    Raises:
        ModelError: DuckDB refused the SQL. A table has not changed.
        WrongRows: A test of severity error failed. The table has not changed.
    """
    began = time.perf_counter()
    try:
        passed, rows_before = committed(connection, partial(_build, connection, model, full_refresh=full_refresh))
    except WrongRows as refused:
        store_failures(connection, refused.outcomes)
        raise
    outcomes = [*passed, *(run_test(connection, model, test) for test in model.own_tests if not test.blocks)]
    store_failures(connection, outcomes)
    try:
        rows_after = _count(connection, model.relation)
    except duckdb.Error as error:  # a view's SELECT runs only now
        raise ModelError(f"{model.path}: {reason(error)}") from None
    return Build(outcomes, rows_before, rows_after, time.perf_counter() - began)


def _build(
    connection: duckdb.DuckDBPyConnection, model: Model, *, full_refresh: bool
) -> tuple[list[Outcome], int | None]:
    """Returns the outcomes of the tests of severity error, and the rows of the earlier table."""
    version = version_of(connection, model)
    existing = KINDS.get(existing_tables(connection).get(model.address, ""))
    keep_rows = model.keeps_rows and existing == "table" and not full_refresh
    select = model.select(variables_of(connection), keep_rows=keep_rows)
    try:
        connection.execute(f"create schema if not exists {identifier(model.schema)}")
        rows_before = _count(connection, model.relation) if existing == "table" else None
        if existing not in {None, model.kind}:
            connection.execute(f"drop {existing} {model.relation}")
        MATERIALIZE.get(model.materialized, _replace)(connection, model, select, keep_rows=keep_rows)
        _check_contract(connection, model)
    except duckdb.Error as error:
        raise ModelError(explained(model, select, error)) from None
    outcomes: list[Outcome] = []
    for test in [test for test in model.own_tests if test.blocks]:
        outcomes.append(run_test(connection, model, test))
        if outcomes[-1].problem is not None:
            break  # it may have ended the transaction
    if wrong := [outcome for outcome in outcomes if outcome.severity == "error"]:
        failed = "; ".join(f"{outcome.test.name}: {outcome.found}" for outcome in wrong)
        raise WrongRows(
            f"{model.address} was not replaced, and models that depend on it are not built, since its new rows fail "
            f"tests ({failed}). The failed checks show rows and the SQL to find them",
            outcomes,
        )
    comment(connection, model.kind, (model.schema, model.name), model.description, model.columns)
    record_build(connection, model, version)
    return outcomes, rows_before


def explained(model: Model, select: str, error: duckdb.Error) -> str:
    """DuckDB's message with the model's file and line instead of the statement's."""
    at = line(error)
    # The statement has one line before the SELECT's first line.
    where = f"{model.path}:{model.line_of(select, max(1, at - 1))}" if at else str(model.path)
    advice = ". Materialize the assets that it depends on first" if is_about_missing_table(error) else ""
    return f"{where}: {reason(error)}{advice}"


def _replace(connection: duckdb.DuckDBPyConnection, model: Model, select: str, *, keep_rows: bool) -> None:
    # Exactly one line before the SELECT's first line: `explained` relies on it.
    new = _merge(connection, model, select) if keep_rows else f"\n{select}"
    if model.kind == "table":
        new = with_lake_types(connection, new)
    connection.execute(f"create or replace {model.kind} {model.relation} as {new}")


def _merge(connection: duckdb.DuckDBPyConnection, model: Model, select: str) -> str:
    """Earlier rows and the new rows; by key, new rows take the place of earlier ones.

    The table is rewritten as a whole, so that columns can be added, removed or widened. Rows without a key are kept.
    """
    key, strategy = ", ".join(map(identifier, model.unique_key)), model.config.get("incremental_strategy")
    new = f"with new_rows as materialized (\n{select}\n)\n"
    if not key or strategy == "append":
        return f"{new}select * from {model.relation} union all by name select * from new_rows"
    added = "select * from new_rows"
    if strategy == "merge":  # columns that the new rows lack keep their values
        columns = [columns_of(connection, relation) for relation in (model.relation, f"(\n{select}\n)")]
        same = " and ".join(f"new_rows.{column} = earlier.{column}" for column in map(identifier, model.unique_key))
        kept = "".join(f", earlier.{identifier(column)}" for column in columns[0] if column not in columns[1])
        added = f"select new_rows.*{kept} from new_rows left join {model.relation} as earlier on {same}"
    return f"{new}select * from {model.relation} anti join new_rows using ({key})\nunion all by name {added}"


def _seed(connection: duckdb.DuckDBPyConnection, model: Model, select: str, *, keep_rows: bool) -> None:
    forget_rejects(connection)
    _replace(connection, model, select, keep_rows=keep_rows)
    if problem := first_rejected(connection, model.path, model.config.get("column_types") or {}):
        raise ModelError(problem)


MATERIALIZE: Mapping[str, Callable[..., None]] = MappingProxyType({"seed": _seed, "snapshot": take_snapshot})
"""Materialization -> the function for it, if not `_replace`. `keep_rows`: whether there are earlier rows to keep."""


KINDS: Mapping[str, str] = MappingProxyType({"BASE TABLE": "table", "VIEW": "view"})


def _check_contract(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Compares the columns and types of a model with an enforced contract."""
    if not (model.config.get("contract") or {}).get("enforced"):
        return
    types = {c["name"]: c.get("data_type") for c in model.properties.get("columns") or []}
    written = ", ".join(f"null::{type_ or 'unknown'} as {identifier(name)}" for name, type_ in types.items())
    agreed, made = columns_of(connection, f"(select {written})"), columns_of(connection, model.relation)
    if wrong := [name for name in {**agreed, **made} if agreed.get(name) != made.get(name)]:
        differences = "; ".join(
            f"{name} is {made.get(name, 'missing')}, not {agreed.get(name, 'there')}" for name in wrong
        )
        raise ModelError(
            f"{model.properties_path}:{line_of(model.properties)}: {model.name} breaks its contract: {differences}"
        )


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    [[rows]] = connection.execute(f"select count(*) from {relation}").fetchall()
    return int(rows)
