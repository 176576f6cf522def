"""Undeclared fields beyond the most that have columns are kept in one JSON column, as exactly as in columns."""

import json

import pytest

from crm_assets.source import schemas
from crm_assets_tests.assets.declaring import Declarations, load
from crm_assets_tests.assets.raw_runs import apply_policy, columns, rows
from crm_assets_tests.scripted_crm import configured_crm

pytestmark = pytest.mark.slow

MOST, FURTHER = "SOURCES__CRM__MAX_UNDECLARED_COLUMNS", "_further_fields"


def test_first_fields_have_columns_and_a_check_counts_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MOST, "2")
    run = load({"id": 1, "nothing": None, "first": 1, "fooBar": "x", "third": 2**70}, {"id": 2, "fourth": {"b": 1}})
    assert {"first": "BIGINT", "foo_bar": "VARCHAR", FURTHER: "JSON"}.items() <= columns("open_tasks").items()
    kept = rows(f"select id, {FURTHER}::varchar from raw.open_tasks order by id")
    assert kept == [(1, f'{{"third":{2**70}}}'), (2, '{"fourth":{"b":1}}')]
    check = run.check("declared_schema")
    assert not check.passed
    assert "not declared: first, foo_bar; not declared, in _further_fields: fourth, third" in (check.description or "")
    assert check.metadata["not declared, in _further_fields"].value == 2


def test_a_field_with_a_very_long_name_has_no_column() -> None:
    shorter, longer, longest = "a" * 200, "b" * 201, "c" * 1_000_000
    run = load({"id": 1, longer: 1, shorter: 2, longest: 2**70}, {"id": 2, longer: None})
    assert columns("open_tasks").keys() >= {shorter, FURTHER}
    kept = rows(f"select id, {FURTHER}::varchar from raw.open_tasks order by id")
    assert kept == [(1, f'{{"{longer}":1,"{longest}":{2**70}}}'), (2, None)]
    check = run.check("declared_schema")
    assert len(check.description or "") < 1000


@pytest.mark.long
def test_a_table_has_five_hundred_undeclared_columns_at_most() -> None:
    fields = {f"field_{number}": number for number in range(510)}
    load({"id": 1} | fields)
    load({"id": 2} | {"new": 1} | fields)
    undeclared = columns("open_tasks").keys() - schemas.resource_schema("open_tasks").columns.keys()
    assert len([name for name in undeclared if name.startswith("field_")]) == 500
    assert "new" not in undeclared
    others = "select list_sort(json_keys(_further_fields)) from raw.open_tasks order by id"
    further = [f"field_{number}" for number in range(500, 510)]
    assert rows(others) == [(further,), (sorted(["new", *further]),)]


def test_the_same_list_read_twice_has_no_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MOST, "0")
    load({"id": 1, "a": 1, "b": 2})
    load({"id": 1, "b": 2, "a": 1})
    assert rows("select rows_changed from raw.sync_changes") == [(0,), (0,)]


def test_no_field_of_the_api_takes_the_name_of_the_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MOST, "1")
    load({"id": 1, FURTHER: {"a": 1}, "b": 2})
    [(kept,)] = rows(f"select {FURTHER}::varchar from raw.open_tasks")
    assert json.loads(kept) == {"b": 2}


@pytest.mark.long
def test_policies_of_personal_data_apply_to_the_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MOST, "0")
    record = {"id": 1, "mobile": "555-0199", "seats": {"email": "jane@example.com", "seats": 4}, "plan": "gold"}
    load(record)
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA", "leave_out")
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA_ALLOWED", "seats")
    with configured_crm():
        apply_policy()
    load({"id": 2} | record | {"id": 2})
    kept = rows(f"select id, {FURTHER}::varchar from raw.open_tasks order by id")
    assert kept == [(1, '{"seats":{"seats":4}}'), (2, '{"seats":{"seats":4}}')]


def test_further_fields_move_into_columns_that_are_added(
    declarations: Declarations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MOST, "0")
    load({"id": 1, "a": 7, "b": "x", "c": 2**70}, {"id": 3, "b": "9"})
    monkeypatch.setenv(MOST, "1")
    declarations.declare(b="bigint")
    load({"id": 2, "a": 8})
    stored = f"select a, b, b__v_text, {FURTHER}::varchar from raw.open_tasks order by id"
    assert rows(stored) == [(7, None, "x", f'{{"c":{2**70}}}'), (8, None, None, None), (None, 9, None, None)]
