"""Tests as dbt's projects configure and write them: limits, stored rows, kinds of tests of one's own."""

import json
from typing import Any

import pytest

from crm_assets.errors import WrongRows
from crm_assets.runner.builds import AUDIT
from crm_assets_tests.runner.model_project import ModelProject

DAYS = "select unnest(range(1, 6)) as day"


def with_test(config: dict[str, Any], kind: str = "accepted_range", **arguments: Any) -> str:
    """Properties with a test of the day, which has to be at most 2 by default."""
    written = {kind: {"arguments": arguments or {"max_value": 2}, "config": config}}
    return json.dumps({"columns": [{"name": "day", "data_tests": [written]}]})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"severity": "warn"}, ("warn", "3 of 5 rows have a day that is not at most 2")),
        ({"severity": "warn", "where": "day < 5"}, ("warn", "2 of 4 rows have a day that is not at most 2")),
        ({"severity": "warn", "limit": 1}, ("warn", "1 of 5 rows has a day that is not at most 2")),
        ({"severity": "warn", "fail_calc": "max(day)"}, ("warn", "5 of 5 rows have a day that is not at most 2")),
        ({"error_if": "> 3"}, ("warn", "3 of 5 rows have a day that is not at most 2")),
        ({"warn_if": "> 3", "error_if": "> 3"}, (None, "none fails")),
        (
            {"severity": "WARN", "limit": None, "fail_calc": None, "warn_if": None, "error_if": None, "where": None},
            ("warn", "3 of 5 rows have a day that is not at most 2"),
        ),
    ],
    ids=str,
)
def test_configuration_of_a_test_counts(project: ModelProject, config: dict[str, Any], found: tuple[str, str]) -> None:
    [outcome] = project.build(project.mart(DAYS, with_test(config))).outcomes

    assert (outcome.severity, outcome.found) == found


@pytest.mark.parametrize("severity", ["warn", "error"])
def test_failing_rows_are_stored_if_asked_for(project: ModelProject, severity: str) -> None:
    model = project.mart(DAYS, with_test({"severity": severity, "store_failures": True}))
    try:
        project.build(model)
    except WrongRows:
        assert severity == "error"

    assert project.rows(f"{AUDIT}.sales_day_accepted_range") == [(3,), (4,), (5,)]


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("kind", ["incremental", "snapshot"])
def test_failing_rows_of_a_refused_history_are_stored(project: ModelProject, kind: str, built: bool) -> None:
    project.execute("create schema raw; create table raw.accounts as select 1 as id, 10 as score")
    text = "select * from {{ source('raw', 'accounts') }}"
    config = {"incremental": {"materialized": "incremental"}, "snapshot": {"strategy": "check", "check_cols": "all"}}[
        kind
    ]
    test = {"accepted_range": {"arguments": {"max_value": 10}, "config": {"store_failures": True}}}
    entry = {
        "name": "kept",
        "config": {"unique_key": "id", **config},
        "columns": [{"name": "score", "data_tests": [test]}],
    }
    folder, key = ("snapshots", "snapshots") if kind == "snapshot" else ("marts", "models")
    project.write(f"{folder}/kept.sql", text)
    project.write(f"{folder}/kept.yml", json.dumps({key: [entry]}))
    model = project.models()[f"{folder}.kept"]
    if built:
        project.build(model)
    project.execute("update raw.accounts set score = 11; insert into raw.accounts values (2, 12), (3, 7)")

    with pytest.raises(WrongRows) as refused:
        project.build(model)

    stored = project.rows(f"{AUDIT}.kept_score_accepted_range")
    assert [row[:2] for row in stored] == [(1, 11), (2, 12)]
    [failed] = [outcome for outcome in refused.value.outcomes if outcome.severity == "error"]
    assert failed.failing == len(project.execute(failed.sql)) == 2


def test_rows_of_all_tests_are_stored_of_a_refused_first_build(project: ModelProject) -> None:
    project.add_settings("data_tests: {+store_failures: true}")
    model = project.mart("{{ config(materialized='incremental', unique_key='day') }} select unnest([1, 1]) as day")

    with pytest.raises(WrongRows):
        project.build(model)

    assert project.rows(f"{AUDIT}.sales_day_unique") == [(1, 2)]
    assert project.rows(f"{AUDIT}.sales_day_not_null") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "config", "severity"),
    [
        pytest.param("", {"enabled": False}, None, id="disabled"),
        pytest.param("data_tests: {crm: {+enabled: false}}", {}, None, id="all disabled"),
        pytest.param(
            "", {"severity": "{{ 'warn' if var('fiscal_year_start') == 1 else 'error' }}"}, "warn", id="template"
        ),
        pytest.param("data_tests: {+severity: warn}", {}, "warn", id="every project"),
        pytest.param("tests: {crm: {marts: {+severity: warn}}}", {}, "warn", id="earlier name"),
        pytest.param("", {"severity": "warn", "where": "day > {{ var('fiscal_year_start') }} + 9"}, None, id="where"),
    ],
)
def test_configuration_of_a_test_is_dbts(
    project: ModelProject, settings: str, config: dict[str, Any], severity: str | None
) -> None:
    project.add_settings(settings)
    outcomes = project.build(project.mart(DAYS, with_test(config))).outcomes

    assert {outcome.severity for outcome in outcomes} - {None} == {severity} - {None}


@pytest.mark.parametrize("config", [{}, {"severity": "error", "error_if": "> 5"}], ids=["kind", "its YAML first"])
def test_kind_of_test_configures_its_tests(project: ModelProject, config: dict[str, Any]) -> None:
    project.add_settings("data_tests: {+severity: error}")
    project.write(
        "tests/generic/above.sql",
        """
        {% test above(model, column_name, limit, severity='warn') %}
        {{ config(severity=severity, where='day < 5') }}
        select * from {{ model }} where {{ column_name }} > {{ limit }}
        {% endtest %}
        """,
    )
    [outcome] = project.build(project.mart(DAYS, with_test(config, "above", limit=2))).outcomes

    assert (outcome.severity, outcome.found) == ("warn", "2 failing rows: above of day")


def test_kind_of_test_may_have_its_model_last(project: ModelProject) -> None:
    kind = "{% test odd(column_name, model) %}select * from {{ model }} where {{ column_name }} % 2 = 1{% endtest %}"
    project.write("tests/generic/odd.sql", kind)
    properties = "columns: [{name: day, data_tests: [{odd: {config: {severity: warn}}}]}]"
    [outcome] = project.build(project.mart(DAYS, properties)).outcomes

    assert outcome.failing == 3


def test_column_of_a_models_test_is_in_its_sentence(project: ModelProject) -> None:
    test = "{not_null: {arguments: {column_name: 'nullif(day, 3)'}, config: {severity: warn}}}"
    [outcome] = project.build(project.mart(DAYS, f"data_tests: [{test}]")).outcomes

    assert outcome.found == "1 of 5 rows has no nullif(day, 3)"


def test_where_is_a_template_in_sentences_too(project: ModelProject) -> None:
    where = "day > {{ var('fiscal_year_start') }}"
    [outcome] = project.build(project.mart(DAYS, with_test({"severity": "warn", "where": where}))).outcomes

    assert outcome.found == "3 of 4 rows have a day that is not at most 2"


def test_test_of_ones_own_is_described_by_its_comments(project: ModelProject) -> None:
    project.write(
        "tests/generic/even.sql",
        """
        {# passes: Each {{ column_name }} is even. #}
        {# fails: {{ failing }} of {{ rows }} are odd #}
        {% test even(model, column_name) %}
        select * from {{ model }} where {{ column_name }} % 2 = 1
        {% endtest %}
        """,
    )
    properties = with_test({"severity": "warn"}, "even", x=1).replace('"x": 1', "")
    [outcome] = project.build(project.mart(DAYS, properties)).outcomes

    assert (outcome.test.description, outcome.found) == ("Each day is even.", "3 of 5 rows are odd")


def test_where_may_read_other_models(project: ModelProject) -> None:
    project.write("staging/days.sql", "select 2 as day")
    where = "day in (select day from {{ ref('days') }}) and day in (select day from {{ this }})"
    properties = f'columns: [{{name: day, data_tests: [{{not_null: {{config: {{where: "{where}"}}}}}}]}}]'
    model = project.mart("select * from {{ ref('days') }}", properties)
    project.build(project.models()["staging.days"])

    assert [outcome.found for outcome in project.build(model).outcomes] == ["none fails"]
