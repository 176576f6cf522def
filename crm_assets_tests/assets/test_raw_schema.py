"""The raw tables have their declared shape from the first run on, and bear it when the API changes its mind."""

import json
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crm_assets_tests.assets.raw_runs import columns, configured_crm, materialize, rows
from crm_assets_tests.assets.test_raw_values import RESOURCES, declared

DUCKDB_TYPES = {
    "text": "VARCHAR",
    "bigint": "BIGINT",
    "decimal": "DECIMAL(38,9)",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
    "bool": "BOOLEAN",
    "json": "JSON",
}


def test_empty_lists_leave_empty_tables_of_the_declared_shape(data_dir: Path) -> None:
    with configured_crm():
        run = materialize()
    assert run.success
    for resource in RESOURCES:
        found = columns(data_dir / "crm.duckdb", resource)
        assert {name: found.pop(name) for name in ("_dlt_load_id", "_dlt_id")} == dict.fromkeys(
            ("_dlt_load_id", "_dlt_id"), "VARCHAR"
        )
        assert found == {
            name: DUCKDB_TYPES[column["data_type"]] for name, column in declared(resource)["columns"].items()
        }
        assert rows(data_dir / "crm.duckdb", f"select count(*) from raw.{resource}") == [(0,)]
        metadata = run.metadata(resource)
        assert (metadata["dagster/row_count"], metadata["crm/rows_read"], metadata["crm/rows_in_source"]) == (0, 0, 0)
        assert metadata["crm/complete"] is True


def test_a_list_that_becomes_empty_keeps_its_table_and_rows(data_dir: Path) -> None:
    with configured_crm(lists={"open_tasks": [{"id": 1, "title": "Once"}]}) as crm:
        assert materialize("open_tasks").success
        crm.lists["open_tasks"] = []
        run = materialize("open_tasks")
    assert run.success
    assert rows(data_dir / "crm.duckdb", "select id, title from raw.open_tasks") == [(1, "Once")]
    assert rows(data_dir / "crm.duckdb", "select id from present.open_tasks") == []
    assert (run.metadata("open_tasks")["dagster/row_count"], run.metadata("open_tasks")["crm/rows_read"]) == (1, 0)
    assert rows(
        data_dir / "crm.duckdb", "select complete, rows_read, rows_in_source from raw.sync_log order by started_at"
    ) == [(True, 1, 1), (True, 0, 0)]


@pytest.mark.slow
def test_the_api_can_change_its_mind_about_fields(data_dir: Path) -> None:
    plain: dict[str, Any] = {
        "id": 1,
        "name": "Plain",
        "amount": "10.5",
        "probability": 40,
        "is_deleted": False,
        "closed_date": "2026-01-31",
        "updated_at": "2026-01-31T10:00:00Z",
        "tags": ["a"],
    }
    drifted: dict[str, Any] = {
        "id": 2,
        "name": {"first": "No", "last": "Text"},
        "amount": "a lot",
        "probability": "forty",
        "is_deleted": "perhaps",
        "closed_date": "soon",
        "updated_at": "yesterday",
        "tags": "a;b",
        "brand_new": "text",
        "New-Object": {"key": [1, 2]},
        "new_list": [1, "a"],
        "new_null": None,
        "new_number": 2**62,
    }
    database = data_dir / "crm.duckdb"
    with configured_crm(lists={"won_deals": [plain]}) as crm:
        assert materialize("won_deals").success
        before = columns(database, "won_deals")
        crm.lists["won_deals"] = [plain, drifted]
        assert materialize("won_deals").success
        after = columns(database, "won_deals")
        crm.lists["won_deals"] = [plain | {"id": 3, "brand_new": 5}, drifted | {"id": 4, "brand_new": {"an": "object"}}]
        assert materialize("won_deals").success
        crm.lists["won_deals"] = [plain | {"id": 5}]
        assert materialize("won_deals").success

    assert {name: type_ for name, type_ in after.items() if name in before} == before
    declared_values = "name, amount, probability, is_deleted, closed_date, updated_at"
    as_it_was = (
        "Plain",
        Decimal("10.5"),
        40,
        False,
        datetime(2026, 1, 31, tzinfo=timezone.utc).date(),
        datetime(2026, 1, 31, 10, tzinfo=timezone.utc),
    )
    for id_ in (1, 3, 5):
        [row] = rows(database, f"select {declared_values} from raw.won_deals where id = {id_}")
        assert row[:5] == as_it_was[:5]
        assert row[5].astimezone(timezone.utc) == as_it_was[5]

    for field, text in {
        "amount": "a lot",
        "probability": "forty",
        "is_deleted": "perhaps",
        "closed_date": "soon",
        "updated_at": "yesterday",
    }.items():
        [variant] = [name for name in after if name.startswith(f"{field}__v_")]
        assert (
            rows(database, f'select {field}, "{variant}" from raw.won_deals where id in (2, 4)') == [(None, text)] * 2
        )
    [(name, tags)] = rows(database, "select name, tags from raw.won_deals where id = 2")
    assert json.loads(name) == drifted["name"]
    assert json.loads(tags) == "a;b"

    new = "brand_new, new_object, new_list, new_number"
    [(brand_new, new_object, new_list, new_number)] = rows(database, f"select {new} from raw.won_deals where id = 2")
    assert (brand_new, new_number) == ("text", 2**62)
    assert (json.loads(new_object), json.loads(new_list)) == ({"key": [1, 2]}, [1, "a"])
    assert rows(database, f"select {new} from raw.won_deals where id = 1") == [(None,) * 4]
    for id_, value in {3: "5", 4: '{"an":"object"}'}.items():
        [(row,)] = rows(database, f"select to_json(d)::varchar from raw.won_deals as d where id = {id_}")
        kept = [v for key, v in json.loads(row).items() if key.startswith("brand_new") and v is not None]
        assert [str(v) if not isinstance(v, dict) else json.dumps(v, separators=(",", ":")) for v in kept] == [value]
