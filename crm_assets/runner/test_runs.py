"""Runs the data tests of a model: each is a query for the rows that fail it.

A view is computed once for all of its data tests. Without this, each would join and parse JSON for itself.
"""

import re
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from crm_assets.errors import ModelsRefused
from crm_assets.runner.data_tests import SINGULAR, DataTest
from crm_assets.runner.model import Model
from crm_assets.runner.variables import variables_of
from crm_assets.warehouse.duckdb_messages import reason
from crm_assets.warehouse.lake_sql import with_lake_types
from crm_assets.warehouse.names import identifier

TESTED_ROWS = "temp.tested_rows"
"""The table with the view's rows, and only those columns that tests name."""

ALL_COLUMNS = re.compile(r"\b(columns|distinct|union|except|intersect)\b", re.IGNORECASE)
"""What makes the number of rows depend on columns that a query does not name."""

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


def run_test(
    connection: duckdb.DuckDBPyConnection, model: Model, test: DataTest, stored: Container[str] = ()
) -> Outcome:
    """Runs one test on the model's table or view; on `TESTED_ROWS` instead if its name is in `stored`."""
    variables, templates = variables_of(connection), model.project.templates
    scope = model.scope(variables)
    relation = TESTED_ROWS if test.name in stored else model.relation
    # Failing rows of a blocking test are rolled back, so the shown query reads the SELECT instead, if possible.
    shown = f"(\n{model.select(variables)}\n)" if test.blocks and not model.keeps_rows else model.relation
    sql = test.query(templates, scope, shown)
    count = test.config.get("fail_calc", "count(*)")
    limits = [test.config.get("warn_if", "!= 0"), test.config.get("error_if", "!= 0")]
    query = test.query(templates, scope, relation)
    try:
        [[failing, warns, errs]] = connection.execute(
            f"select failing, failing {limits[0]}, failing {limits[1]} "
            f"from (select coalesce({count}, 0) as failing from (\n{query}\n) as found)"
        ).fetchall()
        severity = "error" if errs and test.blocks else "warn" if warns else None
        if severity is None:
            return Outcome(test, None, int(failing), sql=sql)
        found = test.failure(templates, scope, int(failing), _counted(connection, model, test, relation))
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


def _counted(connection: duckdb.DuckDBPyConnection, model: Model, test: DataTest, relation: str) -> str:
    """The number of rows that were tested, with what a row of the model is."""
    where = f" where {test.config['where']}" if "where" in test.config else ""
    [[rows]] = connection.execute(f"select count(*) from {relation}{where}").fetchall()
    return f"{rows:,} {model.name.removeprefix('stg_').replace('_', ' ') if model.name.startswith('stg_') else 'rows'}"


def compute_once(
    connection: duckdb.DuckDBPyConnection, model: Model, tests: Sequence[DataTest], variables: Mapping[str, Any]
) -> Collection[str]:
    """Stores the columns of a view that its tests read in `TESTED_ROWS`.

    Returns:
        The names of the tests that can read them there. None can if the model is a table, which is stored already.

    Raises:
        duckdb.Error: The view cannot be computed.
    """
    if model.kind == "table":
        return ()
    scope, templates = model.scope(variables), model.project.templates
    queries = {test.name: test.query(templates, scope, TESTED_ROWS) for test in tests if test.kind != SINGULAR}
    queries = {name: query.lower() for name, query in queries.items() if not ALL_COLUMNS.search(query)}
    if len(queries) < 2:  # noqa: PLR2004 # one test reads the view once anyway
        return ()
    text = "\n".join(queries.values())
    columns = [name for name, *_ in connection.execute(f"describe {model.relation}").fetchall()]
    # More than are read do no harm.
    named = [name for name in columns if name.lower() in text] or columns
    chosen = ", ".join(map(identifier, named))
    connection.execute(f"create or replace temp table {TESTED_ROWS} as select {chosen} from {model.relation}")
    return queries.keys()


def forget_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Drops `TESTED_ROWS`, if there is one."""
    connection.execute(f"drop table if exists {TESTED_ROWS}")
