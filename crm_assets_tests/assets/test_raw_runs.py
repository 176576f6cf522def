"""Run after run: rows are merged by id, every run is on record, and its numbers are the ones of the requests made."""

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance, TableSchema
from starlette.responses import Response

from crm_assets.api import ENDPOINTS, OWN_TABLES
from crm_assets.definitions import defs
from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.scripted_crm import KEY, configured_crm, failing, tasks

pytestmark = pytest.mark.slow

START = datetime(2026, 3, 1, tzinfo=timezone.utc)


def accounts(count: int) -> list[dict[str, Any]]:
    """Accounts with ids from 1, each changed an hour before the one in front of it."""
    return [account(id_, START - timedelta(hours=id_)) for id_ in range(1, count + 1)]


def account(id_: int, changed_at: datetime, name: str = "Account") -> dict[str, Any]:
    return {"id": id_, "name": f"{name} {id_}", "updated_at": changed_at.isoformat()}


def test_a_second_run_updates_adds_and_keeps() -> None:
    with configured_crm(lists={"accounts": accounts(60)}) as crm:
        first = materialize("accounts")
        changed = account(2, START + timedelta(hours=1), "Changed")
        crm.lists["accounts"] = [account(61, START), changed, *accounts(60)[2:]]
        second = materialize("accounts")
    assert first.success and second.success
    found = dict(rows("select id, name from raw.accounts"))
    # Account 1 vanished from the list; the raw table keeps all.
    assert found == {id_: f"Account {id_}" for id_ in range(1, 62)} | {2: "Changed 2"}
    assert rows("select count(*), count(distinct id) from raw.accounts") == [(61, 61)]
    last_seen = dict(rows("select _dlt_load_id, count(*) from raw.accounts group by all"))
    loads = [first.metadata("accounts")["crm/load_id"], second.metadata("accounts")["crm/load_id"]]
    assert last_seen == {loads[0]: 1, loads[1]: 60}
    log = (
        "select resource, mode, complete, requests, retries, rows_read, rows_in_source, _dlt_load_id from raw.sync_log"
    )
    assert rows(f"{log} order by started_at") == [
        ("accounts", "full", True, 2, 0, 60, 60, loads[0]),
        ("accounts", "full", True, 2, 0, 60, 60, loads[1]),
    ]


def test_metadata_describe_the_read() -> None:
    before = datetime.now(timezone.utc)
    with configured_crm(lists={"open_tasks": tasks(130)}) as crm:
        answers = [Response("", 503), Response("", 503), Response("", 429, headers={"Retry-After": "1"})]
        crm.faults.append(failing("open_tasks", page=2, answers=answers))
        metadata = materialize("open_tasks").metadata("open_tasks")
    assert {
        "crm/mode": "full",
        "crm/complete": True,
        "crm/requests": 6,
        "crm/retries": 3,
        "crm/rows_read": 130,
        "crm/rows_in_source": 130,
        "dagster/row_count": 130,
        "dagster/table_name": "raw.open_tasks",
    }.items() <= metadata.items()
    schema = metadata["dagster/column_schema"]
    assert isinstance(schema, TableSchema)
    columns = {column.name: column for column in schema.columns}
    assert (columns["id"].type, columns["id"].constraints.nullable) == ("BIGINT", False)
    assert (columns["due_date"].type, columns["due_date"].constraints.nullable) == ("TIMESTAMP WITH TIME ZONE", True)
    assert columns["due_date"].description == "When the task is due; may change, and the list is ordered by it."
    [(started_at,)] = rows("select started_at from raw.sync_log")
    assert before <= started_at.astimezone(timezone.utc) <= datetime.now(timezone.utc)


def test_a_mode_without_a_value_is_the_default() -> None:
    config = {"ops": {"raw__open_tasks": {"config": {"mode": None}}}}
    with configured_crm(lists={"open_tasks": [{"id": 1}]}), DagsterInstance.ephemeral() as instance:
        job = defs.resolve_job_def("open_tasks_sync")
        selected = [AssetKey(["raw", "open_tasks"])]
        assert job.execute_in_process(run_config=config, asset_selection=selected, instance=instance).success
    assert rows("select mode from raw.sync_log") == [("full",)]


def test_total_is_unknown_if_the_api_has_none() -> None:
    with configured_crm(lists={"open_tasks": tasks(50)}, with_meta=False) as crm:
        metadata = materialize("open_tasks").metadata("open_tasks")
    assert crm.pages("open_tasks") == [1, 2, 3]
    assert "crm/rows_in_source" not in metadata
    assert metadata["crm/complete"] is True
    assert rows("select rows_in_source from raw.sync_log") == [(None,)]


def test_requests_carry_the_key_in_a_header_and_nowhere_else() -> None:
    with configured_crm(lists={"open_tasks": tasks(60)}) as crm:
        assert materialize("open_tasks").success
    for seen in crm.seen:
        assert [name for name, value in seen.headers.items() if KEY in value] == ["api_key"]
        assert seen.params == {"page": str(seen.page), "per_page": "50"}
        assert seen.headers["accept"] == "application/json"


def test_what_a_read_records_is_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    _, _, section = page.partition("## What reads and builds record\n")
    documented = set(re.findall(r"`(crm/\w+|raw\.\w+)`", section.partition("\n## ")[0]))
    monkeypatch.setenv("SOURCES__CRM__REQUESTS_PER_HOUR", "1000")
    with configured_crm(lists={"accounts": accounts(1)}, side_loaded={"users": [{"id": 1}]}):
        metadata = materialize("accounts").metadata("accounts")
    tables = {table for (table,) in rows("select table_name from duckdb_tables()")}
    of_other_commands = {"model_builds", "forgotten", "personal_data_policy"}
    assert tables | of_other_commands == {*ENDPOINTS, *OWN_TABLES}
    recorded = {name for name in metadata if name.startswith("crm/")}
    assert recorded | {f"raw.{table}" for table in OWN_TABLES} == documented
