"""A database and schedules of an older version, after docs/upgrading.md: nothing is lost, and histories go on."""

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pytest

from crm_assets.api import ENDPOINTS
from crm_assets.definitions import defs
from crm_assets.sandbox.server import serving_sandbox

OLD = Path(__file__).with_name("older_database.sql")
HISTORIES = ("accounts_history", "won_deals_history", "open_tasks_history")
LOGS = ("sync_log", "sync_changes", "sync_details")
JOBS = {"crm_full_refresh", "crm_incremental", "crm_check", "publish"} | {f"{name}_sync" for name in ENDPOINTS}
SCHEDULES = {"crm_full_refresh_schedule"} | {f"{name}_schedule" for name in ENDPOINTS}
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


Rows = dict[str, set[tuple[object, ...]]]


@pytest.fixture
def database(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The older database, and the CRM that it is of, three weeks later."""
    later = datetime(2026, 11, 10, tzinfo=timezone.utc)
    with serving_sandbox(rows=60, seed=7, now=later, unknown_fields=1, side_load=True) as crm:
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", crm.base_url)
        monkeypatch.setenv("SOURCES__CRM__API_KEY", crm.api_key)
        data_dir.mkdir()
        with duckdb.connect(str(data_dir / "crm.duckdb")) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(OLD.read_text(encoding="utf-8").replace("BASE_URL", crm.base_url))
        yield data_dir / "crm.duckdb"


def stored(database: Path) -> Rows:
    """What must stay: ids, the versions in histories, the log."""
    with duckdb.connect(str(database), read_only=True) as connection:
        kept = {f"raw.{name}": "id" for name in ENDPOINTS}
        kept |= {f"raw.{name}": "resource, _dlt_load_id" for name in LOGS}
        kept |= {f"snapshots.{name}": "dbt_scd_id, dbt_valid_from" for name in HISTORIES}
        return {
            table: set(connection.execute(f"select {columns} from {table}").fetchall())
            for table, columns in kept.items()
        }


@pytest.mark.slow
def test_an_older_database_loses_nothing_and_goes_on(database: Path) -> None:
    before = stored(database)
    assert all(before.values())
    assert defs.resolve_job_def("crm_full_refresh").execute_in_process(raise_on_error=False).success
    after = stored(database)
    assert {table for table in before if not before[table] <= after[table]} == set()
    assert {table for table in before if len(after[table]) > len(before[table])} == before.keys()


def test_older_schedules_and_assets_are_known() -> None:
    repository = defs.get_repository_def()
    assert {schedule.name for schedule in repository.schedule_defs} >= SCHEDULES
    assert {job.name for job in repository.get_all_jobs()} >= JOBS
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert {f"raw/{name}" for name in ENDPOINTS} | {f"snapshots/{name}" for name in HISTORIES} <= keys
    assert {f"marts/{name}" for name in MARTS} | {"published/database", "reports/sales_review"} <= keys
