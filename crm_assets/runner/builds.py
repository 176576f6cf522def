"""Builds models in DuckDB. A model is built, tested and replaced in one transaction, so that readers see whole tables.

Data tests run inside this transaction. If one of severity error fails, it is rolled back: the table keeps its earlier
rows, and models that depend on it are not built. A test of severity warn that cannot be run, such as one that divides
by zero, may end the transaction. Then the model is built again, and these tests run after the transaction, each in one
of its own.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import uuid4

import duckdb

from crm_assets.errors import ModelError, ModelsRefused, WrongRows
from crm_assets.runner.data_tests import SINGULAR, DataTest
from crm_assets.runner.materializations import materialize
from crm_assets.runner.model import Model
from crm_assets.runner.seeds import unreadable
from crm_assets.runner.unchanged import BuildState, record_build, shape_of, stop_clock, version_of
from crm_assets.warehouse.duckdb_messages import line, reason
from crm_assets.warehouse.tables import columns_of, comment, identifier, is_lake, with_lake_types
from crm_assets.warehouse.transactions import committed, reading

AUDIT = "dbt_test__audit"
"""The schema of the rows that tests with `store_failures` found."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a data test.

    Attributes:
        test: The test.
        severity: What it comes to: error, warn, or None if it passed.
        failing: The number of failing rows (values, combinations).
        found: The outcome in a sentence.
        problem: DuckDB's error, if the test could not be run.
        sql: The query that finds all failing rows, which may hold personal data.
    """

    test: DataTest
    severity: str | None = None
    failing: int = 0
    found: str = "none fails"
    problem: duckdb.Error | None = None
    sql: str = ""

    @property
    def passed(self) -> bool:
        """Whether the test was run and says that the rows are right."""
        return self.severity is None


@dataclass(frozen=True)
class Build:
    """The result of a build.

    Attributes:
        outcomes: The outcomes of its tests. Those of severity error passed.
        rows_before: Rows of the table before the build; None without a table.
        rows_after: Rows of the table or view.
        columns: Its columns with their types.
        seconds: The time of build and tests.
        version: What identifies the rows: as long as the database has this version, nobody has built them again.
        state: The state of the database after it.
    """

    outcomes: Sequence[Outcome]
    rows_before: int | None
    rows_after: int
    columns: Mapping[str, str]
    seconds: float
    version: str
    state: BuildState


def build(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    *,
    full_refresh: bool = False,
    known: BuildState | None = None,
) -> Build:
    """Replaces the model's view or table with the result of its SELECT; a model that keeps rows is updated instead.

    Descriptions become comments on the table and its columns.

    Args:
        connection: The warehouse, for writing.
        model: The model to build.
        full_refresh: Whether to rebuild an incremental model or a snapshot without its earlier rows.
        known: An earlier state of the database; see `BuildState.of`.

    Raises:
        ModelError: DuckDB refused the SQL. A table has not changed.
        WrongRows: A test of severity error failed. The table has not changed.
    """
    began = time.perf_counter()
    attempt = partial(_build, connection, model, known, full_refresh=full_refresh)
    apart: list[DataTest] = []
    try:
        try:
            built = committed(connection, partial(attempt, warns=True))
        except ModelError as error:
            if not error.may_recover:
                raise
            built = committed(connection, partial(attempt, warns=False))  # in a new instance
            apart = [test for test in model.own_tests if not test.blocks]
    except WrongRows as refused:
        store_failures(connection, model, refused.outcomes)
        raise
    outcomes = [*built.outcomes]
    for test in apart:
        with reading(connection):
            outcomes.append(run_test(connection, model, test, built.state.variables))
    store_failures(connection, model, outcomes)
    return replace(built, outcomes=outcomes, seconds=time.perf_counter() - began)


def _build(
    connection: duckdb.DuckDBPyConnection, model: Model, known: BuildState | None, *, full_refresh: bool, warns: bool
) -> Build:
    """Builds a model and runs its tests of severity error, then those that only warn, unless `warns` is false."""
    state = BuildState.of(connection, model.reads, known)
    shape = shape_of(state, model)
    version = version_of(state, model) or f"{uuid4()}-{shape}"
    if model.asks_for_time:
        stop_clock(connection)
    existing = state.tables.get(model.address)
    if model.materialized == "incremental":
        full_refresh = model.config.get("full_refresh", full_refresh)
    keep_rows = model.keeps_rows and existing == "table" and not full_refresh
    select = model.select(state.variables, keep_rows=keep_rows)
    try:
        connection.execute(f"create schema if not exists {identifier(model.schema)}")
        rows_before = _count(connection, model.this) if existing == "table" else None
        if existing not in {None, model.kind}:
            connection.execute(f"drop {existing} {model.this}")
        same = existing == model.kind and is_lake(connection) and shape in (state.versions.get(model.address) or "")
        made, kept, rows = materialize(connection, model, select, keep_rows=keep_rows, same=same)
        # Of a view, an error has the SELECT's line.
        of_view = f"(\n{select}\n)" if model.kind == "view" else model.this
        rows_after = _count(connection, of_view) if rows is None else rows
        columns = columns_of(connection, model.this)
    except duckdb.Error as error:
        message = _explained(model, state, select, error)
        raise ModelError(message, may_recover=isinstance(error, duckdb.InternalException)) from None
    outcomes = _outcomes(connection, model, state.variables, blocking=True)
    if wrong := [outcome for outcome in outcomes if outcome.severity == "error"]:
        scope, found = model.scope(state.variables), f"({made}\n)"  # the table is rolled back
        outcomes = [replace(outcome, sql=outcome.test.query(scope, found)) for outcome in outcomes]
        failed = "; ".join(f"{outcome.test.name}: {outcome.found}" for outcome in wrong)
        raise WrongRows(
            f"{model.address} was not replaced, and models that depend on it are not built, since its new rows fail "
            f"tests ({failed}). The failed checks have the SQL to find them",
            outcomes,
        )
    if warns:
        outcomes += _outcomes(connection, model, state.variables, blocking=False)
    if not (same and kept):
        stored = None if model.materialized == "snapshot" else dict.fromkeys(columns, "")
        comment(connection, model.kind, (model.schema, model.name), model.description, model.columns, stored=stored)
    recorded = record_build(connection, model, version, replaces=model.address in state.versions)
    state = state.after(model, recorded, columns)
    return Build(outcomes, rows_before, rows_after, columns, 0, recorded, state)


def _explained(model: Model, state: BuildState, select: str, error: duckdb.Error) -> str:
    """DuckDB's message with the model's file and line instead of the statement's."""
    if model.materialized == "seed":
        return unreadable(model.path, error)
    at = line(error)
    # The statement has one line before the SELECT's first line.
    where = f"{model.path}:{model.line_of(select, max(1, at - 1))}" if at else str(model.path)
    advice = "" if model.reads <= state.tables.keys() else ". Materialize the assets that it depends on first"
    return f"{where}: {reason(error).rstrip('.')}{advice}"


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    [[rows]] = connection.execute(f"select count(*) from {relation}").fetchall()
    return int(rows)


def _outcomes(
    connection: duckdb.DuckDBPyConnection, model: Model, variables: Mapping[str, Any], *, blocking: bool
) -> list[Outcome]:
    """Runs a model's own tests up to the first that cannot be run, which may have ended the transaction.

    Raises:
        ModelError: An internal error, or a test that only warns cannot be run. Another attempt may succeed without it.
    """
    outcomes: list[Outcome] = []
    for test in [test for test in model.own_tests if test.blocks is blocking]:
        outcomes.append(run_test(connection, model, test, variables))
        problem = outcomes[-1].problem
        if isinstance(problem, duckdb.InternalException) or (problem is not None and not blocking):
            raise ModelError(f"{model.address}: {test.name} {outcomes[-1].found}", may_recover=True)
        if problem is not None:
            break
    return outcomes


def run_test(
    connection: duckdb.DuckDBPyConnection, model: Model, test: DataTest, variables: Mapping[str, Any]
) -> Outcome:
    """Runs one test on the model's table or view. `variables`: those of the session."""
    scope = model.scope(variables)
    count = test.config.get("fail_calc", "count(*)")
    limits = [test.config.get("warn_if", "!= 0"), test.config.get("error_if", "!= 0")]
    sql = test.query(scope, model.this)
    try:
        [[failing, warns, errs]] = connection.execute(
            f"select failing, failing {limits[0]}, failing {limits[1]} "
            f"from (select coalesce({count}, 0) as failing from (\n{sql}\n) as found)"
        ).fetchall()
        severity = "error" if errs and test.blocks else "warn" if warns else None
        if severity is None:
            return Outcome(test, None, int(failing), sql=sql)
        rows = _count(connection, test.tested(scope, model.this))
        # A row of a staging model is a record.
        rows_of = model.name.removeprefix("stg_").replace("_", " ") if model.name.startswith("stg_") else "rows"
        found = test.failure(scope, int(failing), f"{rows:,} {rows_of}")
    except duckdb.Error as error:
        found = f"could not be run: {reason(error)} (in {test.path}:{test.line})"
        return Outcome(test, test.severity, found=found, problem=error, sql=sql)
    return Outcome(test, severity, int(failing), found, sql=sql)


def store_failures(connection: duckdb.DuckDBPyConnection, model: Model, outcomes: Iterable[Outcome]) -> None:
    """Stores the failing rows of the tests that say so, each in a table of its own.

    Raises:
        ModelsRefused: They cannot be stored.
    """
    for outcome in outcomes:
        if outcome.test.config.get("store_failures") and outcome.problem is None:
            committed(connection, partial(_store, connection, model, outcome))


def _store(connection: duckdb.DuckDBPyConnection, model: Model, outcome: Outcome) -> None:
    connection.execute(f"create schema if not exists {AUDIT}")
    test = outcome.test
    # Models may have tests of one name.
    table = identifier(AUDIT, test.name if test.kind == SINGULAR else f"{model.name}_{test.name}")
    try:
        connection.execute(f"create or replace table {table} as {with_lake_types(connection, outcome.sql)}")
    except duckdb.Error as error:
        raise ModelsRefused(f"{test.path}:{test.line}: {reason(error)}") from None
