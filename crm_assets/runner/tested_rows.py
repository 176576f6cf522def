"""Computes a view once for all of its data tests. Without this, each test would join and parse JSON for itself."""

import re
from collections.abc import Collection, Sequence

import duckdb

from crm_assets.runner.data_tests import SINGULAR, DataTest
from crm_assets.runner.model import Model
from crm_assets.warehouse.names import identifier

TESTED_ROWS = "temp.tested_rows"
"""The table with the view's rows, and only those columns that tests name."""

ALL_COLUMNS = re.compile(r"\b(columns|distinct|union|except|intersect)\b", re.IGNORECASE)
"""What makes the number of rows depend on columns that a query does not name."""


def compute_once(
    connection: duckdb.DuckDBPyConnection, model: Model, tests: Sequence[DataTest], timezone: str
) -> Collection[str]:
    """Stores the columns of a view that its tests read in `TESTED_ROWS`.

    Returns:
        The names of the tests that can read them there. None can if the model is a table, which is stored already.

    Raises:
        duckdb.Error: The view cannot be computed.
    """
    if model.kind == "table":
        return ()
    scope, templates = model.scope(timezone), model.project.templates
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
