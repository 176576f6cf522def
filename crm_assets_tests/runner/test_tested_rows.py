"""A view is computed once for all of its data tests, which find what they would find in the view."""

import json

import duckdb
import pytest

from crm_assets.errors import ModelError
from crm_assets.runner.builds import build
from crm_assets.runner.test_runs import Outcome
from crm_assets_tests.runner.model_project import ModelProject

EXPRESSION = "expression_is_true"
WARN = {"config": {"severity": "warn"}}
COLUMNS = ("id", "kind", "is_in")


def run(
    project: ModelProject,
    connection: duckdb.DuckDBPyConnection,
    select: str,
    tests: dict[str, list[str]],
    condition: str | None = None,
) -> dict[str, Outcome]:
    """Builds a view with tests of its columns, and of a condition, all of severity warn: their outcomes by name."""
    written = [{EXPRESSION: {"name": "condition", "arguments": {"expression": condition}, **WARN}}] if condition else []
    columns = [
        {"name": name, "description": "A column.", "data_tests": [{test: WARN} for test in tests.get(name, [])]}
        for name in COLUMNS
    ]
    properties = {"columns": columns, "data_tests": written, "config": {"materialized": "view"}}
    model = project.mart(select, json.dumps(properties))
    return {outcome.test.name: outcome for outcome in build(connection, model).outcomes}


def test_a_view_is_computed_once(project: ModelProject, connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create sequence computed")
    select = "select nextval('computed') as id, 'a' as kind, true as is_in"

    run(project, connection, select, {"id": ["unique", "not_null"], "kind": ["not_null"], "is_in": ["not_null"]})

    assert connection.execute("select nextval('computed')").fetchall() == [(2,)]


def test_nothing_is_left_in_the_session(project: ModelProject, connection: duckdb.DuckDBPyConnection) -> None:
    run(project, connection, "select 1 as id, 'a' as kind, true as is_in", {"id": ["unique", "not_null"]})

    assert connection.execute("select table_name from duckdb_tables()").fetchall() == []


@pytest.mark.parametrize(
    ("select", "expression", "failing"),
    [
        pytest.param("1 as id, 'a' as kind, false as is_in", "is_in", 1, id="another column"),
        pytest.param("1 as id, {'size': 2} as kind, true as is_in", "kind.size < 2", 1, id="an object's field"),
        pytest.param("1 as id, 2 as kind, 3 as is_in", "least(*columns(*)) > 1", 1, id="every column"),
        pytest.param("1 as id, 2 as kind, 3 as is_in", "id in (select kind from marts.sales)", 1, id="another query"),
    ],
)
def test_conditions_are_tested(
    project: ModelProject, connection: duckdb.DuckDBPyConnection, select: str, expression: str, failing: int
) -> None:
    outcomes = run(project, connection, f"select {select}", {"id": ["unique", "not_null"]}, expression)

    assert (outcomes["condition"].problem, outcomes["condition"].failing) == (None, failing)


def test_test_of_an_unknown_column_does_not_stop_others(
    project: ModelProject, connection: duckdb.DuckDBPyConnection
) -> None:
    select = "select null as id, 'a' as kind, true as is_in"

    outcomes = run(project, connection, select, {"id": ["not_null"], "kind": ["not_null"]}, condition="id > nope")

    assert (outcomes["id_not_null"].failing, outcomes["kind_not_null"].failing) == (1, 0)
    assert outcomes["condition"].found.startswith('could not be run: Binder Error: Referenced column "nope" not found')


def test_a_view_that_cannot_be_computed_is_not_replaced(
    project: ModelProject, connection: duckdb.DuckDBPyConnection
) -> None:
    tests = {"id": ["not_null", "unique"]}
    run(project, connection, "select 1 as id, 'a' as kind, true as is_in", tests)

    with pytest.raises(ModelError, match=r"sales\.sql: Conversion Error: Could not convert string '…'"):
        run(
            project,
            connection,
            "select cast(left('x', kept) as int) as id, 'a' as kind, true as is_in from (select 1 as kept) as t",
            tests,
        )

    assert connection.execute("select id from marts.sales").fetchall() == [(1,)]
