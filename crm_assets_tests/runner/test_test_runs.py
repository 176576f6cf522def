"""Each kind of data test: which rows fail it, and how they are shown."""

import json
from typing import Any

import pytest

from crm_assets.errors import WrongRows
from crm_assets.runner.builds import Outcome, run_test
from crm_assets.runner.unchanged import variables_of
from crm_assets_tests.runner.model_project import ModelProject

NAME = 'a "quoted" name'
QUOTED = '"a ""quoted"" name"'
EXPRESSION, RANGE, COMBINATION = "expression_is_true", "accepted_range", "unique_combination_of_columns"
ROWS = """
select * from (values (1, 'a', 10), (2, 'b', -5), (3, 'b', null), (4, null, null)) as t (Key, "a ""quoted"" name", n)
"""
Test = str | dict[str, Any]


@pytest.fixture(autouse=True)
def sales(project: ModelProject) -> None:
    """The table `marts.sales` with the rows above."""
    project.execute(f"create schema marts; create table marts.sales as {ROWS}")


def run(project: ModelProject, column: str | None, test: Test) -> Outcome:
    """What a test of a column, or of the whole model, finds."""
    columns = [{"name": name, "description": "A column.", "quote": True} for name in ("Key", NAME, "n")]
    tested = [{**it, "data_tests": [test]} if it["name"] == column else it for it in columns]
    model = project.mart(ROWS, json.dumps({"columns": tested, "data_tests": [] if column else [test]}))
    return run_test(project.connection, model, model.data_tests[0], variables_of(project.connection))


def failing(project: ModelProject, outcome: Outcome) -> list[tuple[Any, ...]]:
    """The rows that the SQL of an outcome finds."""
    return project.execute(f"from (\n{outcome.sql}\n) order by all")


def of(kind: str, **arguments: Any) -> Test:
    """A test with arguments."""
    return {kind: {"arguments": arguments}}


FOUND = of("relationships", to="ref('sales')", field="Key")
FAILING: dict[str, tuple[str | None, Test, list[tuple[Any, ...]], str]] = {
    "unique": (NAME, "unique", [("b", 2)], f"values of {NAME} that occur more than once: 1"),
    "not_null": (NAME, "not_null", [(4, None, None)], f"1 of 4 rows has no {NAME}"),
    "accepted_values": (
        NAME,
        of("accepted_values", values=["a"]),
        [(2, "b", -5), (3, "b", None)],
        f"2 of 4 rows have an {NAME} that is none of ['a']",
    ),
    "relationships": (
        "n",
        FOUND,
        [(1, "a", 10), (2, "b", -5)],
        "2 of 4 rows have a n that is not found in marts.sales",
    ),
    "expression": ("n", of(EXPRESSION, expression="> 0"), [(2, "b", -5)], "1 of 4 rows does not fulfil: n > 0"),
    "expression of the model": (
        None,
        of(EXPRESSION, expression="n <> 10"),
        [(1, "a", 10)],
        "1 of 4 rows does not fulfil: n <> 10",
    ),
    "too little": ("n", of(RANGE, min_value=0), [(2, "b", -5)], "1 of 4 rows has a n that is not at least 0"),
    "too much": ("n", of(RANGE, max_value=9), [(1, "a", 10)], "1 of 4 rows has a n that is not at most 9"),
    "combination": (
        None,
        of(COMBINATION, combination_of_columns=[QUOTED]),
        [("b", 2)],
        f"combinations of {QUOTED} that occur more than once: 1",
    ),
    "described": (
        "n",
        {"not_null": {"description": "Each has\nan n.\n"}},
        [(3, "b", None), (4, None, None)],
        "2 failing rows: Each has an n",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("column", "test", "rows", "sentence"), FAILING.values(), ids=FAILING)
def test_rows_fail(
    project: ModelProject, column: str | None, test: Test, rows: list[tuple[Any, ...]], sentence: str
) -> None:
    found = run(project, column, test)

    assert (found.problem, found.failing, failing(project, found)) == (None, len(rows), rows)
    assert found.found == sentence


PASSING: dict[str, tuple[str | None, Test]] = {
    "unique": ("Key", "unique"),
    "unique: nulls are no values": ("n", "unique"),
    "not_null": ("Key", "not_null"),
    "accepted_values: null passes": (NAME, of("accepted_values", values=["a", "b"])),
    "relationships": ("Key", FOUND),
    "expression: null passes": ("n", of(EXPRESSION, expression="<> 0")),
    "accepted_range: limits are allowed": ("n", of(RANGE, min_value=-5, max_value="Key + 9")),
    "unique_combination": (None, of(COMBINATION, combination_of_columns=["Key", "n"])),
}


@pytest.mark.slow
@pytest.mark.parametrize(("column", "test"), PASSING.values(), ids=PASSING)
def test_rows_pass(project: ModelProject, column: str | None, test: Test) -> None:
    assert run(project, column, test).passed


def test_missing_values_make_equal_combinations(project: ModelProject) -> None:
    found = run(project, None, of(COMBINATION, combination_of_columns=["n"]))

    assert failing(project, found) == [(None, 2)]


@pytest.mark.parametrize("severity", ["error", "warn"])
def test_the_sql_that_is_shown_finds_the_rows(project: ModelProject, severity: str) -> None:
    would_end_a_literal = "b' or true --"
    test: Test = {
        "accepted_values": {"arguments": {"values": ["a", would_end_a_literal]}, "config": {"severity": severity}}
    }

    found = run(project, NAME, test)
    assert project.execute(found.sql) == [(2, "b", -5), (3, "b", None)]


def test_the_rows_that_were_refused_are_found_without_the_table(project: ModelProject) -> None:
    project.execute("drop table marts.sales")
    with pytest.raises(WrongRows) as refused:
        project.build(project.mart(ROWS, "columns: [{name: n, data_tests: [not_null]}]"))

    [outcome] = refused.value.outcomes
    assert failing(project, outcome) == [(3, "b", None), (4, None, None)]


def test_a_test_that_cannot_be_run_says_why(project: ModelProject) -> None:
    found = run(project, "n", of(EXPRESSION, expression="> nope"))

    assert found.found.startswith('could not be run: Binder Error: Referenced column "nope" not found')
    assert not found.passed


@pytest.mark.parametrize(
    ("column", "test", "name"),
    [
        pytest.param("n", "unique", "n_unique", id="of a column"),
        pytest.param("n", {"not_null": {"name": "n_is_there"}}, "n_is_there", id="its own"),
        pytest.param("n", of(RANGE, min_value=1), "n_accepted_range", id="of dbt_utils"),
        pytest.param(
            None,
            of(COMBINATION, combination_of_columns=["Key", "n"]),
            "Key_n_unique",
            id="of several columns",
        ),
    ],
)
def test_a_check_is_named_after_its_test(project: ModelProject, column: str | None, test: Test, name: str) -> None:
    assert run(project, column, test).test.name == name
