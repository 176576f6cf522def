"""Several CRMs in one code location: what each has, and that none is in another's way."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    Definitions,
    RunRequest,
    ScheduleDefinition,
    build_run_status_sensor_context,
)
from dlt.sources.helpers import requests

from crm_assets.api import ENDPOINTS
from crm_assets.definitions import defs
from crm_assets_tests.assets.raw_runs import rows
from crm_assets_tests.data_dirs import LAKES
from crm_assets_tests.several_crms import NAMES, SeveralCrms, assets, definitions, run, several_crms
from crm_assets_tests.test_definitions import picture


@pytest.fixture
def crms(tmp_path: Path) -> Iterator[SeveralCrms]:
    """Three CRMs, listed in the working folder."""
    with several_crms(tmp_path) as crms:
        yield crms


@pytest.mark.usefixtures("crms")
def test_each_crm_has_what_an_only_one_has_under_its_name() -> None:
    of_one = defs.resolve_asset_graph().get_all_asset_keys()
    of_three = definitions().resolve_asset_graph().get_all_asset_keys()
    assert of_three == {AssetKey([name, *key.path]) for name in NAMES for key in of_one}


@pytest.mark.usefixtures("crms")
def test_jobs_schedules_and_sensors_have_the_name_too() -> None:
    shared = {"__ASSET_JOB", "send_alerts", "delete_old_runs"}
    assert names_in(definitions()) - shared == {f"{crm}_{name}" for crm in NAMES for name in names_in(defs) - shared}


def names_in(code_location: Definitions) -> set[str]:
    """The names of all jobs, schedules and sensors."""
    found = [*code_location.resolve_all_job_defs(), *(code_location.schedules or []), *(code_location.sensors or [])]
    return {each.name for each in found}


@pytest.mark.usefixtures("crms")
def test_a_job_has_only_assets_of_its_crm() -> None:
    for name in ("crm_full_refresh", "crm_incremental", "accounts_sync", "publish"):
        expected = defs.resolve_job_def(name).asset_layer.selected_asset_keys
        found = definitions().resolve_job_def(f"south_{name}").asset_layer.selected_asset_keys
        assert found == {AssetKey(["south", *key.path]) for key in expected}


@pytest.mark.usefixtures("crms")
def test_each_asset_tells_its_table_and_depends_on_those_of_its_crm() -> None:
    for spec in definitions().resolve_all_asset_specs():
        name, layer, *table = spec.key.path
        assert spec.group_name == f"{name}_{layer}"
        assert {dep.asset_key.path[0] for dep in spec.deps} <= {name}
        if layer not in {"reports", "published"}:
            assert spec.metadata["dagster/table_name"] == f"{name}_{layer}.{table[0]}"


@pytest.mark.usefixtures("crms")
def test_the_crms_take_turns_within_the_hour() -> None:
    minutes = [
        schedule.cron_schedule
        for schedule in definitions().schedules or []
        if isinstance(schedule, ScheduleDefinition) and schedule.name.endswith("accounts_schedule")
    ]
    assert len(set(minutes)) == 3


def test_a_crm_with_a_bad_name_keeps_nothing_from_loading(tmp_path: Path) -> None:
    (tmp_path / "crms.toml").write_text("[north]\n[Bad-Name]\n", encoding="utf-8")
    code = "from crm_assets.definitions import defs; print(*defs.resolve_asset_graph().get_all_asset_keys())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=True
    )
    assert "'north'" in done.stdout
    assert "Bad" not in done.stdout
    assert "crms.toml: 'Bad-Name' cannot be the name of a CRM" in done.stderr


def test_without_a_list_nothing_has_a_name() -> None:
    assert picture(definitions()) == picture(defs)


@pytest.mark.slow
def test_one_fails_and_the_others_have_their_own_records(crms: SeveralCrms, data_dir: Path) -> None:
    crms.write(south="wrong")
    marts = assets("north/marts/account_overview", "south/marts/account_overview", "west/marts/task_backlog")
    result = run(marts.upstream())

    failures = {event.step_key: event.step_failure_data for event in result.all_events if event.is_step_failure}
    assert failures.keys() == {f"south__raw__{resource}" for resource in ENDPOINTS}
    told = failures["south__raw__accounts"].user_failure_data
    assert told is not None
    assert "Check SOUTH__SOURCES__CRM__API_KEY" in str(told.description)

    accounts = ids(crms, "north", "accounts")
    database = data_dir / "crm.duckdb"
    assert {id_ for (id_,) in rows(database, "select account_id from north_marts.account_overview")} == accounts
    [(open_tasks,)] = rows(database, "select sum(open_tasks) from west_marts.task_backlog")
    assert open_tasks == len(ids(crms, "west", "tasks"))
    assert rows(database, "select distinct base_url from north_raw.sync_details") == [(crms.servers["north"].base_url,)]


def ids(crms: SeveralCrms, crm: str, resource: str) -> set[int]:
    """The ids that a CRM lists."""
    server, found, page = crms.servers[crm], set[int](), 1
    while True:
        answer: dict[str, Any] = requests.get(
            f"{server.base_url}/v1/{resource}",
            params={"page": page, "per_page": 100},
            headers={"api_key": server.api_key},
            timeout=30,
        ).json()
        [records] = [value for value in answer.values() if isinstance(value, list)]
        if not records:
            return found
        found |= {record["id"] for record in records}
        page += 1


@pytest.mark.slow
def test_the_published_copy_of_a_crm_has_its_tables_only(crms: SeveralCrms, data_dir: Path) -> None:
    if data_dir in LAKES:
        pytest.skip("readers of a lake see its tables themselves")
    run(assets(*(f"{name}/raw/accounts" for name in NAMES)))
    run(assets("north/published/database"))
    with duckdb.connect(str(data_dir / "crm.north.published.duckdb"), read_only=True) as copy:
        schemas = copy.execute("select distinct schema_name from duckdb_tables()").fetchall()
        counted = copy.execute("select count(*) from north_present.accounts").fetchall()
    assert schemas == [("north_raw",)]
    assert counted == [(len(ids(crms, "north", "accounts")),)]
    assert not (data_dir / "crm.south.published.duckdb").exists()


@pytest.mark.slow
def test_after_a_failed_run_those_crms_are_published_that_it_loaded(crms: SeveralCrms) -> None:
    crms.write(south="wrong")
    asked = {}
    with DagsterInstance.ephemeral() as instance:
        result = run(assets("south/raw/accounts", "west/raw/accounts"), instance)
        [failure] = [event for event in result.all_events if event.event_type is DagsterEventType.RUN_FAILURE]
        for name in NAMES:
            sensor: Any = definitions().resolve_sensor_def(f"{name}_publish_after_failed_runs")
            context = build_run_status_sensor_context(sensor.name, failure, instance, result.dagster_run)
            asked[name] = isinstance(sensor(context.for_run_failure()), RunRequest)
    assert asked == {"north": False, "south": False, "west": True}
