"""Runs the data tests of a model: each is a query for the rows that fail it."""

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from crm_assets.errors import ModelsRefused
from crm_assets.runner.data_tests import DataTest
from crm_assets.runner.model import Model
from crm_assets.runner.variables import variables_of
from crm_assets.warehouse.duckdb_messages import reason
from crm_assets.warehouse.lake_sql import with_lake_types
from crm_assets.warehouse.names import identifier

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
        problem: Why the test could not be run; None if it was.
        sql: The query that finds all failing rows, which may hold personal data.
    """

    test: DataTest
    severity: str | None = None
    failing: int = 0
    found: str = "none fails"
    problem: str | None = None
    sql: str = ""

    @property
    def passed(self) -> bool:
        """Whether the test was run and says that the rows are right."""
        return self.severity is None


def run_test(connection: duckdb.DuckDBPyConnection, model: Model, test: DataTest) -> Outcome:
    """Runs one test on the model's table or view."""
    variables = variables_of(connection)
    scope = model.scope(variables)
    # Failing rows of a blocking test are rolled back, so the shown query reads the SELECT instead, if possible.
    shown = f"(\n{model.select(variables)}\n)" if test.blocks and not model.keeps_rows else model.relation
    sql = test.query(scope, shown)
    count = test.config.get("fail_calc", "count(*)")
    limits = [test.config.get("warn_if", "!= 0"), test.config.get("error_if", "!= 0")]
    query = test.query(scope, model.relation)
    try:
        [[failing, warns, errs]] = connection.execute(
            f"select failing, failing {limits[0]}, failing {limits[1]} "
            f"from (select coalesce({count}, 0) as failing from (\n{query}\n) as found)"
        ).fetchall()
        severity = "error" if errs and test.blocks else "warn" if warns else None
        if severity is None:
            return Outcome(test, None, int(failing), sql=sql)
        found = test.failure(scope, int(failing), _counted(connection, model, test))
    except duckdb.Error as error:
        problem = f"{reason(error)} (in {test.path}:{test.line})"
        return Outcome(test, test.severity, found=f"could not be run: {problem}", problem=problem, sql=sql)
    return Outcome(test, severity, int(failing), found, sql=sql)


def store_failures(connection: duckdb.DuckDBPyConnection, outcomes: Iterable[Outcome]) -> None:
    """Stores the failing rows of the tests that say so, each in a table of its own.

    Raises:
        ModelsRefused: They cannot be stored.
    """
    for outcome in outcomes:
        if outcome.test.config.get("store_failures") and outcome.problem is None:
            connection.execute(f"create schema if not exists {AUDIT}")
            table = identifier(AUDIT, outcome.test.name)
            try:
                connection.execute(f"create or replace table {table} as {with_lake_types(connection, outcome.sql)}")
            except duckdb.Error as error:
                raise ModelsRefused(f"{outcome.test.path}:{outcome.test.line}: {reason(error)}") from None


def _counted(connection: duckdb.DuckDBPyConnection, model: Model, test: DataTest) -> str:
    """The number of rows that were tested, with what a row of the model is."""
    where = f" where {test.config['where']}" if "where" in test.config else ""
    [[rows]] = connection.execute(f"select count(*) from {model.relation}{where}").fetchall()
    return f"{rows:,} {model.name.removeprefix('stg_').replace('_', ' ') if model.name.startswith('stg_') else 'rows'}"
