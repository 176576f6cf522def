"""Dagster's own executors: which one is chosen, and that runs mean the same with either."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from dagster import DagsterInstance, JobExecutionResult, ReexecutionOptions, build_reconstructable_job, execute_job

from crm_assets.api import ENDPOINTS
from crm_assets.defs.runs import EXECUTORS, configured_executor
from crm_assets_tests.assets.raw_runs import rows
from crm_assets_tests.scripted_crm import ScriptedCrm, always, configured_crm, json_response

pytestmark = pytest.mark.slow

RESOURCES = tuple(ENDPOINTS)
AT_ONCE = {"start_method": {"forkserver": {"preload_modules": ["crm_assets_tests.automation.executor_jobs"]}}}
"""Processes that start with everything imported."""

UPDATED = "2026-01-01T00:00:00Z"
JOBS = "crm_assets_tests.automation.executor_jobs"
TABLES = """
select table_schema || '.' || table_name
from information_schema.tables
where table_schema in ('raw', 'staging', 'marts') and table_name not in
        ('sync_log', 'sync_details', 'sync_changes', 'model_builds', 'pipeline_health_daily',
         'account_ownership', 'won_deal_changes', 'task_durations')
    and not starts_with(table_name, '_dlt')
"""


def executed(
    job: str, executor: str, instance: DagsterInstance, options: ReexecutionOptions | None = None
) -> AbstractContextManager[JobExecutionResult]:
    """Executes a job, in processes that other processes can join."""
    # The process that steps are forked from keeps the environment that it was started in.
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    return execute_job(
        build_reconstructable_job(JOBS, "project_job", reconstructable_kwargs={"name": job, "executor": executor}),
        instance,
        run_config={"execution": {"config": AT_ONCE}} if executor == "multiprocess" else {},
        reexecution_options=options,
    )


def one_each() -> dict[str, list[Any]]:
    return {resource: [{"id": 1, "updated_at": UPDATED}] for resource in RESOURCES}


def tables(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What all tables hold that do not tell of the runs themselves."""
    found = {}
    for (table,) in rows(TABLES, database):
        found[table] = sorted(
            rows(f"select columns(c -> not contains(c, 'load_id') and c != '_dlt_id') from {table}", database), key=repr
        )
    return found


@contextmanager
def copies(file: Path) -> Iterator[set[int]]:
    """The inodes of a file while the body runs: one for each time that it is put in its place."""
    seen: set[int] = set()
    ended = Event()

    def watch() -> None:
        while not ended.wait(0.005):
            if file.exists():
                seen.add(file.stat().st_ino)

    watching = Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        ended.set()
        watching.join()


@dataclass(frozen=True)
class FailedRun:
    """A run in which the accounts failed."""

    executor: str
    run_id: str
    crm: ScriptedCrm
    folder: Path


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    """A Dagster instance that processes share."""
    with DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as instance:
        yield instance


@pytest.fixture(scope="module", params=["in_process", pytest.param("multiprocess", marks=pytest.mark.long)])
def failed_run(
    request: pytest.FixtureRequest, instance: DagsterInstance, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FailedRun]:
    """Executed once for all tests that look at it."""
    folder = tmp_path_factory.mktemp("failed")
    with configured_crm(lists=one_each()) as crm, pytest.MonkeyPatch.context() as environment:
        environment.setenv("CRM_DATA_DIR", str(folder / "data"))
        crm.faults.append(always("accounts", lambda: json_response({"message": "Not yours"}, 403)))
        with executed("few", request.param, instance) as result:
            assert not result.success
        crm.faults.clear()
        yield FailedRun(request.param, result.run_id, crm, folder)


@pytest.mark.parametrize("name", EXECUTORS)
def test_the_setting_chooses_the_executor(name: str, monkeypatch: pytest.MonkeyPatch, messages: list[str]) -> None:
    pytest.importorskip(EXECUTORS[name][0], reason=f"extra {name} is not installed")
    monkeypatch.setenv("CRM_EXECUTOR", name)
    assert configured_executor().name == name
    assert messages == []


@pytest.mark.parametrize("name", ["docker", "k8s"])
def test_missing_extra_is_a_warning_and_everything_loads(
    name: str, monkeypatch: pytest.MonkeyPatch, messages: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, EXECUTORS[name][0], None)  # an import of it fails as if it was not installed
    monkeypatch.setenv("CRM_EXECUTOR", name)
    assert configured_executor().name == "in_process"
    [warning] = messages
    for word in ("CRM_EXECUTOR", name, f"pip install 'crm_assets[{name}]'"):
        assert word in warning


def test_steps_run_in_the_process_of_their_run_by_default() -> None:
    assert configured_executor().name == "in_process"


@pytest.mark.long
def test_executors_make_equal_tables_and_publish_once_a_run(
    instance: DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    with configured_crm(lists=one_each()):
        for name in ("in_process", "multiprocess"):
            monkeypatch.setenv("CRM_DATA_DIR", str(tmp_path / name))
            copy = tmp_path / name / "crm.published.duckdb"
            with copies(copy) as published, executed("few", name, instance) as result:
                assert result.success
            assert published == {copy.stat().st_ino}
            made += [tables(tmp_path / name / "crm.duckdb"), tables(copy)]
    assert made == [made[0]] * 4
    assert {"raw.accounts", "staging.stg_accounts"} <= made[0].keys()


def test_failed_step_keeps_the_rest_and_publishes_nothing(failed_run: FailedRun) -> None:
    data = failed_run.folder / "data"
    assert rows("select count(*) from raw.contacts", data / "crm.duckdb") == [(1,)]
    assert not (data / "crm.published.duckdb").exists()


@pytest.mark.long
def test_re_execution_runs_failed_steps_and_their_descendants(
    failed_run: FailedRun, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_DATA_DIR", str(failed_run.folder / "data"))
    options = ReexecutionOptions.from_failure(failed_run.run_id, instance)
    with executed("few", failed_run.executor, instance, options) as result:
        ran = {event.step_key for event in result.all_events if event.is_step_success}
    assert {"raw__accounts", "marts__account_ownership", "published__database"} <= ran
    assert "raw__contacts" not in ran
