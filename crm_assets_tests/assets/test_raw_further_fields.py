"""Undeclared fields beyond the most that have columns are kept in one JSON column, as exactly as in columns."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from crm_assets.source import schemas
from crm_assets.source.typing import batches
from crm_assets_tests.assets.declaring import Declarations
from crm_assets_tests.assets.raw_runs import Run, apply_policy, columns, materialize, rows
from crm_assets_tests.scripted_crm import configured_crm

pytestmark = pytest.mark.slow

MOST, FURTHER = "SOURCES__CRM__MAX_UNDECLARED_COLUMNS", "_further_fields"

VALUES = [7, -1, 2**63, 2**70, 0.5, "text", "007", "7", "", True, False, {"a": [1, None]}, [2**64], "2024-01-05", None]


def load(*records: dict[str, Any]) -> Run:
    """Reads a list of these."""
    with configured_crm(lists={"open_tasks": list(records)}, page_sizes=[2] * len(records)):
        run = materialize("open_tasks")
    assert run.success, run.failure("open_tasks")
    return run


def stored(database: Path) -> dict[int, dict[str, Any]]:
    """The fields of every row that are not null, each as it stands in its only place."""
    types = columns(database, "open_tasks")
    found = {}
    for values in rows(database, "from raw.open_tasks"):
        row = {name: value for name, value in zip(types, values, strict=True) if value is not None}
        fields = dict(json.loads(row.pop(FURTHER, "{}")))
        for name, value in row.items():
            if not name.startswith("_dlt_"):
                field = name.removesuffix("__v_text")
                assert field not in fields
                is_json = types[name] == "JSON" and isinstance(value, str)
                fields[field] = json.loads(value) if is_json else value
        found[row["id"]] = fields
    return found


def plain(value: Any) -> str:
    """A value's text, in whichever type of column it is."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def texts(records: dict[int, dict[str, Any]]) -> dict[int, dict[str, str]]:
    return {
        id_: {name: plain(value) for name, value in record.items() if value is not None}
        for id_, record in records.items()
    }


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
def test_every_value_comes_back_in_every_order_of_events(
    seed: int, database: Path, declarations: Declarations, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(seed)  # noqa: S311 - repeatable
    monkeypatch.setattr(batches, "BATCH_ROWS", random.choice([1, 3, 5000]))
    names = [f"field_{number}" for number in range(8)]
    sent: dict[int, dict[str, Any]] = {}
    for most in random.sample([0, 2, 2, 4, 20], 5):
        monkeypatch.setenv(MOST, str(most))
        declarations.declare(
            **dict.fromkeys(random.sample(names, random.randrange(3)), random.choice(["text", "json"]))
        )
        records: list[dict[str, Any]] = [
            {"id": id_} | {name: random.choice(VALUES) for name in random.sample(names, random.randrange(8))}
            for id_ in random.sample(range(10), 5)
        ]
        sent |= {record["id"]: record for record in records}
        load(*records)
        assert texts(stored(database)) == texts(sent)


def test_first_fields_have_columns_and_a_check_counts_others(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MOST, "2")
    run = load({"id": 1, "nothing": None, "first": 1, "fooBar": "x", "third": 2**70}, {"id": 2, "fourth": {"b": 1}})
    assert {"first": "BIGINT", "foo_bar": "VARCHAR", FURTHER: "JSON"}.items() <= columns(database, "open_tasks").items()
    kept = rows(database, f"select id, {FURTHER}::varchar from raw.open_tasks order by id")
    assert kept == [(1, f'{{"third":{2**70}}}'), (2, '{"fourth":{"b":1}}')]
    check = run.check("declared_schema")
    assert not check.passed
    assert "not declared: first, foo_bar; not declared, in _further_fields: fourth, third" in (check.description or "")
    assert check.metadata["not declared, in _further_fields"].value == 2


def test_a_field_with_a_very_long_name_has_no_column(database: Path) -> None:
    shorter, longer, longest = "a" * 200, "b" * 201, "c" * 1_000_000
    run = load({"id": 1, longer: 1, shorter: 2, longest: 2**70}, {"id": 2, longer: None})
    assert columns(database, "open_tasks").keys() >= {shorter, FURTHER}
    kept = rows(database, f"select id, {FURTHER}::varchar from raw.open_tasks order by id")
    assert kept == [(1, f'{{"{longer}":1,"{longest}":{2**70}}}'), (2, None)]
    check = run.check("declared_schema")
    assert len(check.description or "") < 1000


@pytest.mark.long
def test_a_table_has_five_hundred_undeclared_columns_at_most(database: Path) -> None:
    fields = {f"field_{number}": number for number in range(510)}
    load({"id": 1} | fields)
    load({"id": 2} | {"new": 1} | fields)
    undeclared = columns(database, "open_tasks").keys() - schemas.resource_schema("open_tasks").columns.keys()
    assert len([name for name in undeclared if name.startswith("field_")]) == 500
    assert "new" not in undeclared
    assert texts(stored(database)) == texts({1: {"id": 1} | fields, 2: {"id": 2, "new": 1} | fields})


def test_the_same_list_read_twice_has_no_changes(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MOST, "0")
    load({"id": 1, "a": 1, "b": 2})
    load({"id": 1, "b": 2, "a": 1})
    assert rows(database, "select rows_changed from raw.sync_changes") == [(0,), (0,)]


def test_no_field_of_the_api_takes_the_name_of_the_column(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MOST, "1")
    load({"id": 1, FURTHER: {"a": 1}, "b": 2})
    [(kept,)] = rows(database, f"select {FURTHER}::varchar from raw.open_tasks")
    assert json.loads(kept) == {"b": 2}


@pytest.mark.long
def test_policies_of_personal_data_apply_to_the_column(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MOST, "0")
    record = {"id": 1, "mobile": "555-0199", "seats": {"email": "jane@example.com", "seats": 4}, "plan": "gold"}
    load(record)
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA", "leave_out")
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA_ALLOWED", "seats")
    with configured_crm():
        apply_policy()
    load({"id": 2} | record | {"id": 2})
    kept = rows(database, f"select id, {FURTHER}::varchar from raw.open_tasks order by id")
    assert kept == [(1, '{"seats":{"seats":4}}'), (2, '{"seats":{"seats":4}}')]
