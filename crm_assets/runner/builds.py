"""Builds models in DuckDB. A model is built, tested and replaced in one transaction, so that readers see whole tables.

Data tests of severity error run inside this transaction. If one fails, it is rolled back: the table keeps its earlier
rows, and models that depend on it are not built. Tests of severity warn run after the transaction.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import duckdb

from crm_assets.errors import ModelError, WrongRows
from crm_assets.runner.data_test_runs import Outcome, run_test, run_tests
from crm_assets.runner.model import Model
from crm_assets.runner.seeds import first_rejected, forget_rejects
from crm_assets.runner.snapshots import take_snapshot
from crm_assets.runner.tested_rows import TESTED_ROWS, compute_once, forget_rows
from crm_assets.runner.timezone import with_timezone
from crm_assets.warehouse.comments import comment
from crm_assets.warehouse.duckdb_messages import is_about_missing_table, line, reason
from crm_assets.warehouse.lake_sql import with_lake_types
from crm_assets.warehouse.quoting import identifier
from crm_assets.warehouse.transactions import committed


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
    built = committed(connection, partial(_build, connection, model, full_refresh=full_refresh))
    warnings = [run_test(connection, model, test, built.stored) for test in model.own_tests if not test.blocks]
    try:
        rows_after = _count(connection, TESTED_ROWS if built.stored else model.relation)
    except duckdb.Error as error:  # a view's SELECT runs only now
        raise ModelError(explained(model, error)) from None
    forget_rows(connection)
    return Build([*built.outcomes, *warnings], built.rows_before, rows_after, time.perf_counter() - began)


class _Committed(NamedTuple):
    """What a committed build leaves: outcomes, rows before, and the names of the tests that read `TESTED_ROWS`."""

    outcomes: Sequence[Outcome]
    rows_before: int | None
    stored: Collection[str]


def _build(connection: duckdb.DuckDBPyConnection, model: Model, *, full_refresh: bool) -> _Committed:
    try:
        connection.execute(f"create schema if not exists {identifier(model.folder)}")
        existing = _kind(connection, model)
        rows_before = _count(connection, model.relation) if existing == "table" else None
        if existing not in {None, model.kind}:
            connection.execute(f"drop {existing} {model.relation}")
        going_on = model.keeps_rows and existing == "table" and not full_refresh
        MATERIALIZE[model.materialized](connection, model, going_on=going_on)
    except duckdb.Error as error:
        raise ModelError(explained(model, error)) from None
    try:
        stored = compute_once(connection, model, model.own_tests)
    except duckdb.Error as error:
        raise ModelError(f"{model.path}: {reason(error)}") from None
    outcomes = run_tests(connection, model, [test for test in model.own_tests if test.blocks], stored)
    if not all(outcome.passed for outcome in outcomes):
        failed = "; ".join(f"{outcome.test.name}: {outcome.found}" for outcome in outcomes if not outcome.passed)
        raise WrongRows(
            f"{model.address} was not replaced, and models that depend on it are not built, since its new rows fail "
            f"tests ({failed}). The failed checks show rows and the SQL to find them",
            outcomes,
        )
    comment(connection, model.kind, (model.folder, model.name), model.description, model.columns)
    return _Committed(outcomes, rows_before, stored)


def explained(model: Model, error: duckdb.Error) -> str:
    """DuckDB's message with the model's file and line instead of the statement's."""
    at = line(error)
    # The statement has one line before the model's first line.
    where = f"{model.path}:{max(1, at - 1)}" if at else str(model.path)
    advice = ". Materialize the assets that it depends on first" if is_about_missing_table(error) else ""
    return f"{where}: {reason(error)}{advice}"


def _replace(connection: duckdb.DuckDBPyConnection, model: Model, *, going_on: bool) -> None:
    select = with_timezone(connection, model.select)
    # Exactly one line before the model's first line: `explained` relies on it.
    new = _merge(model, select) if going_on else f"\n{select}"
    if model.kind == "table":
        new = with_lake_types(connection, new)
    connection.execute(f"create or replace {model.kind} {model.relation} as {new}")


def _merge(model: Model, select: str) -> str:
    """Earlier rows, except those whose key is in the new rows, and the new rows.

    The table is rewritten as a whole, so that columns can be added, removed or widened. Rows without a key are kept.
    """
    key = ", ".join(map(identifier, model.unique_key))
    return (
        f"with new_rows as materialized (\n{select}\n)\n"
        f"select * from {model.relation} anti join new_rows using ({key})\n"
        "union all by name select * from new_rows"
    )


def _seed(connection: duckdb.DuckDBPyConnection, model: Model, *, going_on: bool) -> None:
    forget_rejects(connection)
    _replace(connection, model, going_on=going_on)
    if problem := first_rejected(connection, model.path, model.config.get("column_types") or {}):
        raise ModelError(problem)


MATERIALIZE: Mapping[str, Callable[..., None]] = MappingProxyType(
    {"view": _replace, "table": _replace, "incremental": _replace, "seed": _seed, "snapshot": take_snapshot}
)
"""Materialization -> the function that builds it. `going_on`: whether there are earlier rows to keep."""


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    [[rows]] = connection.execute(f"select count(*) from {relation}").fetchall()
    return int(rows)


def _kind(connection: duckdb.DuckDBPyConnection, model: Model) -> str | None:
    found = connection.execute(
        "select table_type from information_schema.tables where table_schema = ? and table_name = ?",
        [model.folder, model.name],
    ).fetchone()
    if found is None:
        return None
    return "view" if found[0] == "VIEW" else "table"
