"""Older databases and an older deployment, after docs/upgrading.md: nothing is lost, and all of it goes on.

`older_*.sql` were written by the code of their time: tables of a file, those of a lake, and Dagster's storage, in which
schedules had been turned on.
"""

import os
import re
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest
from dagster import AssetKey, DagsterInstance, build_sensor_context

from crm_assets.alerts.reporting import Incidents, send_alerts
from crm_assets.api import ENDPOINTS
from crm_assets.definitions import defs
from crm_assets.sandbox.server import serving_sandbox
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.clones import PROJECT
from crm_assets_tests.dagster_dev import DAGSTER
from crm_assets_tests.data_dirs import connected, lakes_on, use_data_dir

pytestmark = pytest.mark.slow

OLD = Path(__file__).parent
CRMS: Mapping[str, Mapping[str, Any]] = {
    "file": {"rows": 60, "unknown_fields": 1},
    "lake": {"rows": 400, "unknown_fields": 2, "odd_types": 0.03},
}
"""Of which CRM the records are, as the sandbox makes it."""

HISTORIES = ("accounts_history", "won_deals_history", "open_tasks_history")
LOGS = ("sync_log", "sync_changes", "sync_details")
JOBS = {"crm_full_refresh", "crm_incremental", "crm_check", "publish"} | {f"{name}_sync" for name in ENDPOINTS}
SCHEDULES = {"crm_full_refresh_schedule", "lake_maintenance_schedule"} | {f"{name}_schedule" for name in ENDPOINTS}
MARTS = [
    "account_overview",
    "account_ownership",
    "contact_engagement",
    "meeting_activity_weekly",
    "owner_performance",
    "pipeline_health_daily",
    "task_backlog",
    "task_durations",
    "won_deal_changes",
    "won_deal_overview",
    "won_revenue_monthly",
]

STORAGE = {"runs": "history/runs.db", "events": "history/runs/index.db", "schedules": "schedules/schedules.db"}

TABLES_WITH_NUMBERS = ("instigators", "runs", "run_tags", "event_logs", "asset_keys")
NEXT_NUMBER = "select setval(pg_get_serial_sequence('{table}', 'id'), (select max(id) from {table}))"
"""The rows were inserted with their numbers."""

FULL_REFRESH = "319af1c8-e454-40da-873b-984e3dd0c096"
"""The run in the older storage. Of its events, those of three assets are kept."""

ITS_ASSETS = (["raw", "open_tasks"], ["snapshots", "open_tasks_history"], ["marts", "account_ownership"])

Rows = dict[str, set[tuple[object, ...]]]


@pytest.fixture(params=["file", pytest.param("lake", marks=pytest.mark.long)])
def database(request: pytest.FixtureRequest, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An older file or lake, and the CRM that it is of, weeks later."""
    kind, later = request.param, datetime(2026, 11, 10, tzinfo=timezone.utc)
    tables = OLD / f"older_{'lake' if kind == 'lake' else 'database'}.sql"
    with serving_sandbox(seed=7, now=later, side_load=True, **CRMS[kind]) as crm:
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", crm.base_url)
        monkeypatch.setenv("SOURCES__CRM__API_KEY", crm.api_key)
        if kind == "lake":
            with lakes_on(request.getfixturevalue("servers")):
                use_data_dir(monkeypatch, data_dir)
        with connected(read_only=False) as connection:
            connection.execute(tables.read_text(encoding="utf-8").replace("BASE_URL", crm.base_url))
        yield data_dir / "crm.duckdb"


EVENT_LOG = "event_log_storage:\n  module: crm_assets.event_log\n  class: EventLog\n"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.long)])
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DagsterInstance]:
    """Has the older storage, in files or in PostgreSQL."""
    home = tmp_path / "dagster"
    home.mkdir()
    settings = (PROJECT / "dagster.yaml").read_text(encoding="utf-8")
    servers = request.getfixturevalue("servers") if request.param == "postgres" else None
    if servers:
        database = servers.new_database()
        settings = settings.replace(EVENT_LOG, servers.dagster_storage(database))
    (home / "dagster.yaml").write_text(settings, encoding="utf-8")
    rows = (OLD / "older_storage.sql").read_text(encoding="utf-8")
    with DagsterInstance.from_config(str(home)) as instance:
        assert not instance.all_instigator_state()  # creates the tables
        if servers:
            with psycopg.connect(servers.dsn(database)) as postgres:
                postgres.execute(re.sub(r"^insert into \w+\.", "insert into ", rows, flags=re.MULTILINE).encode())
                for table in TABLES_WITH_NUMBERS:
                    postgres.execute(NEXT_NUMBER.format(table=table).encode())
        else:
            with closing(sqlite3.connect(":memory:")) as sqlite:
                for name, file in STORAGE.items():
                    sqlite.execute(f"attach ? as {name}", [str(home / file)])
                sqlite.executescript(rows)
        yield instance


def stored(database: Path) -> Rows:
    """What must stay: ids, the versions in histories, the log."""
    with connected(database) as connection:
        kept = {f"raw.{name}": "id" for name in ENDPOINTS}
        kept |= {f"raw.{name}": "resource, _dlt_load_id" for name in LOGS}
        kept |= {f"snapshots.{name}": "dbt_scd_id, dbt_valid_from" for name in HISTORIES}
        return {
            table: set(connection.execute(f"select {columns} from {table}").fetchall())
            for table, columns in kept.items()
        }


@pytest.mark.long
@pytest.mark.timeout(600)
def test_older_tables_lose_nothing_and_go_on(database: Path, instance: DagsterInstance) -> None:
    before = stored(database)
    assert all(before.values())
    full = defs.resolve_job_def("crm_full_refresh")
    assert full.execute_in_process(instance=instance, raise_on_error=False).success
    assert materialize(mode="incremental", instance=instance).success
    after = stored(database)
    assert {table for table in before if not before[table] <= after[table]} == set()
    assert {table for table in before if len(after[table]) > len(before[table])} == before.keys()
    for path in ITS_ASSETS:
        newest, *_, oldest = instance.fetch_materializations(AssetKey(path), limit=10).records
        assert (oldest.run_id == FULL_REFRESH) and (newest.run_id != FULL_REFRESH), path


@pytest.mark.long
@pytest.mark.usefixtures("instance")
def test_schedules_that_were_on_are_on(tmp_path: Path) -> None:
    listed = subprocess.run(
        [DAGSTER, "schedule", "list", "--workspace", "workspace.yaml"],
        cwd=PROJECT,
        env={**os.environ, "DAGSTER_HOME": str(tmp_path / "dagster"), "CRM_WAREHOUSE": "ducklake:postgres:dbname=lake"},
        capture_output=True,
        text=True,
        check=True,
    )
    shown = {schedule for schedule in SCHEDULES if f"Schedule: {schedule} [RUNNING]" in listed.stdout}
    assert shown == SCHEDULES


def test_open_incidents_are_still_known(instance: DagsterInstance) -> None:
    [cursor] = [
        state.instigator_data.cursor  # type: ignore[union-attr]
        for state in instance.all_instigator_state()
        if state.instigator_name == "send_alerts"
    ]
    context = build_sensor_context(instance, cursor, repository_def=defs.get_repository_def())
    send_alerts(context)
    before, after = (
        {incident.cause: incident for incident in Incidents.read(text).incidents} for text in (cursor, context.cursor)
    )
    assert len(before) == 5
    assert before.items() <= after.items()


def test_older_jobs_and_assets_are_known() -> None:
    assert {job.name for job in defs.get_repository_def().get_all_jobs()} >= JOBS
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert {f"raw/{name}" for name in ENDPOINTS} | {f"snapshots/{name}" for name in HISTORIES} <= keys
    assert {f"marts/{name}" for name in MARTS} | {"published/database", "reports/sales_review"} <= keys
