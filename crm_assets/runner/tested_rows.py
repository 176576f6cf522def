"""Computes a view once for all of its data tests. Without this, each test would join and parse JSON for itself."""

from collections.abc import Collection, Sequence

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from crm_assets.runner.data_tests import DataTest
from crm_assets.runner.model import Model
from crm_assets.warehouse.quoting import identifier

TESTED_ROWS = "temp.tested_rows"
"""The table with the view's rows, and only those columns that tests read."""


def compute_once(connection: duckdb.DuckDBPyConnection, model: Model, tests: Sequence[DataTest]) -> Collection[str]:
    """Stores the columns of a view that its tests read in `TESTED_ROWS`.

    Returns:
        The names of the tests that can read them there. None can if the model is a table, which is stored already, or
        if a test names a column that the view does not have.

    Raises:
        duckdb.Error: The view cannot be computed.
    """
    if model.kind == "table":
        return ()
    reads = {test.name: columns for test in tests if (columns := _columns(model, test))}
    if len(reads) < 2:  # noqa: PLR2004 # one test reads the view once anyway
        return ()
    names = {name.lower(): name for columns in reads.values() for name in columns}
    stored = {name.lower() for name, *_ in connection.execute(f"describe {model.relation}").fetchall()}
    if not names.keys() <= stored:
        return ()
    chosen = ", ".join(map(identifier, names.values()))
    connection.execute(f"create or replace temp table {TESTED_ROWS} as select {chosen} from {model.relation}")
    return reads.keys()


def forget_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Drops `TESTED_ROWS`, if there is one."""
    connection.execute(f"drop table if exists {TESTED_ROWS}")


def _columns(model: Model, test: DataTest) -> Collection[str]:
    """The columns that a test reads and shows; none if they are not known."""
    shown = {*model.key_columns, *test.columns}
    if test.kind == "singular" or not shown:
        return ()
    expressions = [str(test.arguments[key]) for key in ("min_value", "max_value") if key in test.arguments]
    if "expression" in test.arguments:
        expressions.append(test.condition)
    try:
        parsed = [sqlglot.parse_one(expression, dialect="duckdb") for expression in expressions]
    except SqlglotError:
        return ()
    columns = [column for expression in parsed for column in expression.find_all(exp.Column)]
    # An object's field looks like a table's column, and stars stand for any number of columns.
    if any(column.table for column in columns) or any(expression.find(exp.Star, exp.Columns) for expression in parsed):
        return ()
    return shown | {column.name for column in columns}
