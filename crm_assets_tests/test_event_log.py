"""Dagster's event log with files that stay open: it has the same events, and others see them at once."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetCheckResult,
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    asset,
    asset_check,
    materialize,
)

from crm_assets.dagster_internals import delete_run
from crm_assets.event_log import EventLog
from crm_assets_tests.waiting import eventually

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parent.parent
TASKS = AssetKey("tasks")

Instance = Callable[[], DagsterInstance]


@asset
def tasks() -> None:
    pass


@asset_check(asset="tasks")
def looks_well() -> AssetCheckResult:
    return AssetCheckResult(passed=True)


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """An instance like that of another process, in the same folder, as `dagster.yaml` configures it."""
    (tmp_path / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
    return lambda: DagsterInstance.from_config(str(tmp_path))


def run(instance: DagsterInstance) -> str:
    return materialize([tasks, looks_well], instance=instance).run_id


@contextmanager
def counted_openings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the SQLite files that are opened in the body."""
    opened: list[str] = []
    connect = sqlite3.dbapi2.connect

    def counting(path: str, *arguments: object, **options: object) -> sqlite3.Connection:
        opened.append(Path(path).parent.name)
        return connect(path, *arguments, **options)  # type: ignore[call-overload,no-any-return]

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3.dbapi2, "connect", counting)
        yield opened


def files_opened_for_events(monkeypatch: pytest.MonkeyPatch, instance: DagsterInstance) -> int:
    """How often files are opened to store two results of a check, after another one."""
    passed = AssetCheckEvaluation(TASKS, "looks_well", True, {})
    run(instance)
    instance.report_runless_asset_event(passed)
    with counted_openings(monkeypatch) as opened:
        instance.report_runless_asset_event(passed)
        instance.report_runless_asset_event(passed)
    return opened.count("runs")


def test_dagster_opens_a_file_for_each_event(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert files_opened_for_events(monkeypatch, instance) > 2, (
            "Dagster keeps its event log open: crm_assets/event_log.py and its entry in dagster.yaml are not needed"
        )


def test_files_stay_open(monkeypatch: pytest.MonkeyPatch, instance: Instance) -> None:
    with instance() as own:
        assert files_opened_for_events(monkeypatch, own) == 0


def test_events_are_where_dagster_has_them(instance: Instance, tmp_path: Path) -> None:
    with DagsterInstance.local_temp(str(tmp_path)) as usual:
        before = run(usual)
    with instance() as own:
        assert isinstance(own.event_log_storage, EventLog)
        assert own.get_latest_materialization_event(TASKS).run_id == before  # type: ignore[union-attr]
        latest = run(own)
    with DagsterInstance.local_temp(str(tmp_path)) as usual:
        assert usual.get_latest_materialization_event(TASKS).run_id == latest  # type: ignore[union-attr]
        assert [event.run_id for event in usual.all_logs(latest, of_type=DagsterEventType.RUN_SUCCESS)] == [latest]


def test_another_process_sees_each_event_at_once(instance: Instance) -> None:
    seen: list[str] = []
    with instance() as own, instance() as other:
        run_id = run(own)
        number = len(own.all_logs(run_id))
        other.watch_event_logs(run_id, None, lambda entry, _: seen.append(entry.message))
        [record] = own.get_run_records(limit=1)
        for message in ("first", "second"):
            own.report_engine_event(message, record.dagster_run)
            assert eventually(lambda: message in seen, patience=10, pause=0.01)  # noqa: B023 - called at once
        assert len(other.all_logs(run_id)) == number + 2


def test_nothing_is_left_of_a_deleted_run(instance: Instance, tmp_path: Path) -> None:
    with instance() as own:
        run_id = run(own)
        delete_run(own, run_id)
        assert not [path for path in tmp_path.rglob("*") if run_id in path.name]
        assert run_id not in own.event_log_storage.get_all_run_ids()  # type: ignore[attr-defined]


def test_threads_share_the_files(instance: Instance) -> None:
    with instance() as own:
        run_id = run(own)
        [record] = own.get_run_records(limit=1)
        number = len(own.all_logs(run_id))
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda n: own.report_engine_event(f"event {n}", record.dagster_run), range(40)))
        assert len(own.all_logs(run_id)) == number + 40
