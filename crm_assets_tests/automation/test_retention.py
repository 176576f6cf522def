"""Old runs are deleted with everything stored about them; runs that hold the current state are kept."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSpec,
    AssetKey,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    MaterializeResult,
    SkipReason,
    asset,
    build_sensor_context,
)

from crm_assets.automation import sensors
from crm_assets.automation.sensors import delete_old_runs, delete_runs_before
from crm_assets_tests.lake_servers import LakeServers

pytestmark = pytest.mark.slow

TASKS, DEALS = AssetKey("tasks"), AssetKey("deals")
CHECKS = {AssetCheckKey(TASKS, "primary_key")}

refused = list[str]()
"""Assets that fail."""


@asset(check_specs=[AssetCheckSpec("primary_key", asset="tasks")])
def tasks() -> MaterializeResult:  # type: ignore[type-arg]
    if "tasks" in refused:
        raise ValueError
    return MaterializeResult(check_results=[AssetCheckResult(passed=True)])


@asset
def deals() -> None:
    pass


defs = Definitions([tasks, deals])


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    """With SQLite, as without any configuration."""
    home = tmp_path / "home"
    home.mkdir()
    with DagsterInstance.local_temp(str(home)) as instance:
        yield instance


@pytest.fixture(autouse=True)
def _nothing_is_refused() -> Iterator[None]:
    yield
    refused.clear()


def read(instance: DagsterInstance, *assets: AssetKey) -> str:
    """One run, in this process."""
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(asset_selection=assets, instance=instance, raise_on_error=False).run_id


def delete_all_old(instance: DagsterInstance) -> int:
    """As a tick does when all runs have become old."""
    return delete_runs_before(instance, datetime.now(timezone.utc) + timedelta(days=1), CHECKS)


def run_ids(instance: DagsterInstance) -> list[str]:
    return [run.run_id for run in instance.get_runs(ascending=True)]


def stored_by(folder: Path) -> str:
    """Names of all files below a folder, and all rows of its databases, as text."""
    found = [str(path) for path in folder.rglob("*")]
    for path in folder.rglob("*.db"):
        with closing(sqlite3.connect(path)) as database:
            found.extend(database.iterdump())
    return "\n".join(found)


def test_nothing_is_left_of_an_old_run(instance: DagsterInstance, tmp_path: Path) -> None:
    first, latest = read(instance, TASKS), read(instance, TASKS)
    assert first in stored_by(tmp_path / "home")
    assert delete_all_old(instance) == 1
    assert first not in stored_by(tmp_path / "home")
    assert run_ids(instance) == [latest]


@pytest.mark.long
def test_nothing_is_left_of_it_in_postgresql(servers: LakeServers, tmp_path: Path) -> None:
    database = servers.new_database()
    (tmp_path / "dagster.yaml").write_text(servers.dagster_storage(database), encoding="utf-8")
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        first, latest = read(instance, TASKS), read(instance, TASKS)
        assert delete_all_old(instance) == 1
        assert run_ids(instance) == [latest]
    with psycopg.connect(servers.dsn(database)) as connection:
        tables = connection.execute("select table_name from information_schema.tables where table_schema = 'public'")
        for (table,) in tables.fetchall():
            rows = connection.execute(f'select * from "{table}"').fetchall()
            assert first not in str(rows), table


@pytest.mark.long
def test_runs_with_the_current_state_are_kept(instance: DagsterInstance) -> None:
    materialized = read(instance, TASKS)
    refused.append("tasks")
    forgotten, failed = read(instance, TASKS), read(instance, TASKS)
    other = read(instance, DEALS)
    assert delete_all_old(instance) == 1
    assert forgotten not in run_ids(instance)
    assert run_ids(instance) == [materialized, failed, other]
    event = instance.get_latest_materialization_event(TASKS)
    assert event is not None
    assert event.run_id == materialized
    history = instance.event_log_storage.get_asset_check_execution_history(AssetCheckKey(TASKS, "primary_key"), 10)
    assert [evaluation.run_id for evaluation in history] == [failed, materialized]


def test_a_run_that_has_not_ended_is_kept(instance: DagsterInstance) -> None:
    running = instance.create_run_for_job(defs.resolve_implicit_global_asset_job_def(), status=DagsterRunStatus.STARTED)
    assert delete_all_old(instance) == 0
    assert run_ids(instance) == [running.run_id]


@pytest.mark.long
def test_a_tick_deletes_the_oldest_only(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "AT_A_TIME", 1)
    _, second, latest = (read(instance, TASKS) for _ in range(3))
    assert delete_all_old(instance) == 1
    assert run_ids(instance) == [second, latest]
    assert delete_all_old(instance) == 1
    assert delete_all_old(instance) == 0


def test_days_are_a_setting_and_0_keeps_all(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        read(instance, TASKS)
    assert tick(instance) == "Deleted 0 runs older than 30 days"
    monkeypatch.setenv("CRM_KEEP_RUNS_DAYS", "0")
    assert tick(instance) == "CRM_KEEP_RUNS_DAYS is 0: all runs are kept"
    monkeypatch.setenv("CRM_KEEP_RUNS_DAYS", "two years")
    assert (tick(instance) or "").startswith(
        "No run is deleted. Setting crm_keep_runs_days (CRM_KEEP_RUNS_DAYS) in the env"
    )
    assert len(run_ids(instance)) == 2


def tick(instance: DagsterInstance) -> str | None:
    """What the sensor says about one evaluation."""
    skipped = delete_old_runs(build_sensor_context(instance=instance, repository_def=defs.get_repository_def()))
    assert isinstance(skipped, SkipReason)
    return skipped.skip_message
