"""Where a daemon runs, its sensor reports: failed runs, killed runs, late tables."""

import os
import signal
import time
from datetime import datetime, timedelta, timezone

import pytest
from dagster import (
    AssetKey,
    AssetMaterialization,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    asset,
    build_sensor_context,
    define_asset_job,
)
from dagster._daemon.types import DaemonHeartbeat

from crm_assets.alerts import reporting
from crm_assets.alerts.outcomes import lateness
from crm_assets.alerts.reporting import send_alerts
from crm_assets.definitions import defs
from crm_assets_tests.alerts.receivers import Webhook
from crm_assets_tests.alerts.test_alerts import REFUSED, refuse
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.scripted_crm import ScriptedCrm, Seen

RECOVERED = REFUSED.replace("problem", "recovered")
JOB = "open_tasks_sync"
MODEL, RAW, TASKS = (AssetKey(key) for key in (["staging", "stg_accounts"], ["raw", "accounts"], ["raw", "open_tasks"]))


class Daemon:
    """Dagster's daemon: it evaluates the sensor again and again, and keeps its cursor."""

    def __init__(self, instance: DagsterInstance) -> None:
        """The first tick sees no run."""
        self.instance = instance
        self.cursor: str | None = None
        self.tick()

    def tick(self) -> None:
        """One evaluation, and a heartbeat."""
        self.beat(time.time())
        context = build_sensor_context(self.instance, self.cursor, repository_def=defs.get_repository_def())
        send_alerts(context)
        self.cursor = context.cursor

    def beat(self, at: float) -> None:
        """A heartbeat of the past ends the daemon."""
        self.instance.add_daemon_heartbeat(DaemonHeartbeat(at, "SENSOR", "daemon", []))


@pytest.fixture
def daemon(instance: DagsterInstance) -> Daemon:
    return Daemon(instance)


def kill_a_run(instance: DagsterInstance, job: str = JOB) -> None:
    """A run whose process ends without a word, as the daemon finds it."""
    run = instance.create_run_for_job(defs.resolve_job_def(job), status=DagsterRunStatus.STARTED)
    instance.report_run_failed(run, "The process was killed")


def move_latest(instance: DagsterInstance, key: AssetKey, *, hours: int) -> None:
    """Stores an asset's last materialization again, at another time."""
    event = instance.get_latest_materialization_event(key)
    assert event is not None
    instance.store_event(event._replace(timestamp=event.timestamp + hours * 3600))


@pytest.mark.slow
def test_a_failed_run_is_reported_once_and_its_recovery_once(hook: Webhook, crm: ScriptedCrm, daemon: Daemon) -> None:
    refuse(crm)
    for attempt in range(2):
        materialize("open_tasks", instance=daemon.instance)
        assert hook.titles == [REFUSED][:attempt]
        daemon.tick()
        daemon.tick()
    crm.faults.clear()
    materialize("open_tasks", instance=daemon.instance)
    daemon.tick()
    daemon.tick()
    assert hook.titles == [REFUSED, RECOVERED]


@pytest.mark.slow
def test_failure_fixed_before_a_tick_is_not_reported(hook: Webhook, crm: ScriptedCrm, daemon: Daemon) -> None:
    refuse(crm)
    materialize("open_tasks", instance=daemon.instance)
    crm.faults.clear()
    materialize("open_tasks", instance=daemon.instance)
    daemon.tick()
    assert hook.received == []


@pytest.mark.slow
@pytest.mark.parametrize("ago", [600, -86400], ids=["ended", "ended while its clock was ahead"])
def test_failure_reported_without_daemon_is_reported_once(
    ago: int, hook: Webhook, crm: ScriptedCrm, daemon: Daemon
) -> None:
    daemon.beat(time.time() - ago)
    refuse(crm)
    materialize("open_tasks", instance=daemon.instance)
    assert hook.titles == [REFUSED]
    daemon.tick()
    crm.faults.clear()
    materialize("open_tasks", instance=daemon.instance)
    assert hook.titles == [REFUSED]
    daemon.tick()
    assert hook.titles == [REFUSED, RECOVERED]


@pytest.mark.slow
@pytest.mark.usefixtures("crm")
def test_end_of_what_runs_reported_before_the_first_daemon_is_reported(
    hook: Webhook, crm: ScriptedCrm, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "OVERLAP", timedelta(0))  # as if the run had ended long ago
    refuse(crm)
    materialize("open_tasks", instance=instance)
    daemon = Daemon(instance)
    crm.faults.clear()
    materialize("open_tasks", instance=instance)
    daemon.tick()
    assert hook.titles == [REFUSED, RECOVERED]


@pytest.mark.slow
def test_killed_run_is_reported_until_its_job_succeeds(hook: Webhook, daemon: Daemon) -> None:
    for _ in range(2):
        kill_a_run(daemon.instance)
        daemon.tick()
    assert hook.titles == [f"crm_assets: problem: job {JOB}"]
    assert "The process was killed" in hook.received[0]["message"]
    defs.resolve_job_def(JOB).execute_in_process(instance=daemon.instance, asset_selection=[TASKS])
    daemon.tick()
    assert hook.titles[1:] == [f"crm_assets: recovered: job {JOB}"]


@pytest.mark.slow
@pytest.mark.parametrize("is_terminated", [True, False], ids=["terminated by a user", "interrupted"])
def test_interrupted_run_is_one_that_did_not_end(
    hook: Webhook, crm: ScriptedCrm, daemon: Daemon, is_terminated: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: Seen) -> None:
        if is_terminated:
            [run] = daemon.instance.get_runs(limit=1)
            daemon.instance.report_run_canceling(run)
        os.kill(os.getpid(), signal.SIGINT)

    daemon.beat(time.time() - 600)
    crm.faults.append(interrupt)
    job = defs.resolve_job_def(JOB)
    job.execute_in_process(instance=daemon.instance, asset_selection=[TASKS], raise_on_error=False)
    daemon.tick()
    shown = capfd.readouterr().err
    assert "raw__open_tasks failed: the run was interrupted" in shown
    assert "Traceback" not in shown
    assert hook.titles == ([] if is_terminated else [f"crm_assets: problem: job {JOB}"])
    assert all(f"A run of {JOB} failed: it was interrupted\n" in alert["message"] for alert in hook.received)


@pytest.mark.slow
@pytest.mark.usefixtures("crm")
def test_a_killed_run_without_a_job_names_its_assets(hook: Webhook, daemon: Daemon) -> None:
    for key in (TASKS, RAW):
        job = defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection={key})
        run = daemon.instance.create_run_for_job(job, status=DagsterRunStatus.STARTED, asset_selection=frozenset({key}))
        daemon.instance.report_run_failed(run, "The process was killed")
    daemon.tick()
    assert sorted(hook.titles) == ["crm_assets: problem: raw/accounts", REFUSED]
    assert "A run of raw/open_tasks failed" in "".join(alert["message"] for alert in hook.received)
    assert materialize("accounts", instance=daemon.instance).success
    daemon.tick()
    assert hook.titles[2:] == ["crm_assets: recovered: raw/accounts"]


@pytest.mark.slow
def test_an_alert_that_did_not_arrive_is_sent_with_the_next_tick(hook: Webhook, daemon: Daemon) -> None:
    kill_a_run(daemon.instance)
    hook.status = 500
    daemon.tick()
    hook.status = 200
    daemon.tick()
    assert hook.titles == [f"crm_assets: problem: job {JOB}"]


def test_late_tables_are_one_alert_and_their_recovery_another(hook: Webhook, daemon: Daemon) -> None:
    keys = [RAW, AssetKey(["raw", "contacts"])]
    for key in keys:
        daemon.instance.report_runless_asset_event(AssetMaterialization(key))
        move_latest(daemon.instance, key, hours=-4)
    daemon.tick()
    daemon.tick()
    [alert] = hook.received
    assert alert["title"] == "crm_assets: late: raw/accounts, raw/contacts"
    assert "raw/accounts was updated 4.0 hours ago, and at most 3.0 hours are expected" in alert["message"]
    for key in keys:
        daemon.instance.report_runless_asset_event(AssetMaterialization(key))
    daemon.tick()
    assert hook.titles[1:] == ["crm_assets: recovered: raw/accounts, raw/contacts"]


@pytest.mark.slow
def test_a_table_whose_reads_fail_is_not_late_as_well(hook: Webhook, crm: ScriptedCrm, daemon: Daemon) -> None:
    materialize("open_tasks", instance=daemon.instance)
    move_latest(daemon.instance, AssetKey(["raw", "open_tasks"]), hours=-4)
    refuse(crm)
    materialize("open_tasks", instance=daemon.instance)
    daemon.tick()
    daemon.tick()
    assert hook.titles == [REFUSED]


@pytest.mark.slow
def test_a_failure_after_a_clock_was_ahead_is_reported(hook: Webhook, crm: ScriptedCrm, daemon: Daemon) -> None:
    materialize("open_tasks", instance=daemon.instance)
    move_latest(daemon.instance, AssetKey(["raw", "open_tasks"]), hours=48)
    refuse(crm)
    materialize("open_tasks", instance=daemon.instance)
    daemon.tick()
    assert hook.titles == [REFUSED]


def test_an_asset_never_materialized_is_not_late(instance: DagsterInstance) -> None:
    instance.report_runless_asset_event(AssetMaterialization(RAW))
    allowed = {RAW: timedelta(hours=3), MODEL: timedelta(hours=3)}
    outcome = lateness(instance, allowed, datetime.now(timezone.utc) + timedelta(hours=4), "http://ui")
    assert [problem.subject for problem in outcome.problems] == ["raw/accounts: age"]


@pytest.mark.slow
def test_a_damaged_cursor_counts_as_none(hook: Webhook, daemon: Daemon) -> None:
    daemon.cursor = "{damaged"
    kill_a_run(daemon.instance)
    daemon.tick()
    assert hook.titles == [f"crm_assets: problem: job {JOB}"]


def test_the_last_runs_are_looked_at_if_there_are_many(
    hook: Webhook, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a long time without a daemon, a tick that looked at all of them would never end in time."""
    monkeypatch.setattr(reporting, "AT_A_TIME", 1)
    for job in ("accounts_sync", JOB):
        kill_a_run(daemon.instance, job)
    daemon.tick()
    assert hook.titles == [f"crm_assets: problem: job {JOB}"]


def test_runs_of_other_code_locations_are_ignored(hook: Webhook, daemon: Daemon) -> None:
    @asset
    def other() -> None:
        """Of another project, whose job has the same name."""

    job = Definitions(assets=[other], jobs=[define_asset_job(JOB)]).resolve_job_def(JOB)
    run = daemon.instance.create_run_for_job(
        job, status=DagsterRunStatus.STARTED, asset_selection=frozenset({other.key})
    )
    daemon.instance.report_run_failed(run, "The process was killed")
    daemon.tick()
    assert hook.received == []
