"""Sensors: the runs that no hook of an asset could tell of."""

from collections.abc import Iterator
from typing import Any

import pytest
from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    ExecuteInProcessResult,
    RunRequest,
    SkipReason,
    build_run_status_sensor_context,
)

from crm_assets.automation.sensors import alert_of_failed_runs, alert_of_recovered_runs
from crm_assets.definitions import defs
from crm_assets_tests.alerts.receivers import Webhook, webhook
from crm_assets_tests.assets.raw_runs import configured_crm
from crm_assets_tests.scripted_crm import always, json_response

JOB = "open_tasks_sync"

publish_after_failed_runs: Any = defs.resolve_sensor_def("publish_after_failed_runs")


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook that alerts go to."""
    with webhook() as receiver:
        monkeypatch.setenv("CRM_NOTIFY", receiver.address)
        yield receiver


def kill_a_run(instance: DagsterInstance) -> None:
    """A run whose process ends without a word, as the daemon finds it."""
    run = instance.create_run_for_job(defs.resolve_job_def(JOB), status=DagsterRunStatus.STARTED)
    event = instance.report_run_failed(run, "The process was killed")
    alert_of_failed_runs(
        build_run_status_sensor_context("alert_of_failed_runs", event, instance, run).for_run_failure()
    )


@pytest.mark.slow
def test_a_killed_run_is_reported_once_and_the_next_success_ends_the_incident(hook: Webhook) -> None:
    with DagsterInstance.ephemeral() as instance, configured_crm():
        kill_a_run(instance)
        kill_a_run(instance)
        assert hook.titles == [f"crm_assets: problem: run {JOB}"]
        assert "The process was killed" in hook.received[0]["message"]

        result = defs.resolve_job_def(JOB).execute_in_process(instance=instance)
        [success] = [event for event in result.all_events if event.event_type is DagsterEventType.RUN_SUCCESS]
        alert_of_recovered_runs(
            build_run_status_sensor_context("alert_of_recovered_runs", success, instance, result.dagster_run)
        )
    assert hook.titles[-1] == f"crm_assets: recovered: run {JOB}"


def asked_to_publish(instance: DagsterInstance, job: str) -> bool:
    """Whether the sensor asks for a run that publishes, after a run of a job that failed."""
    result = defs.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False)
    [failure] = [event for event in result.all_events if event.event_type is DagsterEventType.RUN_FAILURE]
    context = build_run_status_sensor_context("publish_after_failed_runs", failure, instance, result.dagster_run)
    return isinstance(publish_after_failed_runs(context.for_run_failure()), RunRequest)


def test_tables_of_a_failed_run_are_published() -> None:
    with DagsterInstance.ephemeral() as instance, configured_crm() as crm:
        crm.faults.append(always("open_tasks", lambda: json_response({}, 403)))
        assert asked_to_publish(instance, "crm_full_refresh")


def test_a_publishing_that_fails_is_not_repeated() -> None:
    with DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(defs.resolve_job_def("publish"), status=DagsterRunStatus.STARTED)
        event = instance.report_run_failed(run, "The disk is full")
        context = build_run_status_sensor_context("publish_after_failed_runs", event, instance, run)
        assert isinstance(publish_after_failed_runs(context.for_run_failure()), SkipReason)


def test_an_incident_reported_by_a_hook_is_not_reported_again(hook: Webhook) -> None:
    with DagsterInstance.ephemeral() as instance, configured_crm(credentials=("api_key", "another")):
        result = defs.resolve_job_def(JOB).execute_in_process(instance=instance, raise_on_error=False)
        told = list(hook.titles)
        assert told[0] == "crm_assets: problem: asset raw/open_tasks"
        [failure] = [event for event in result.all_events if event.event_type is DagsterEventType.RUN_FAILURE]
        alert_of_failed_runs(
            build_run_status_sensor_context(
                "alert_of_failed_runs", failure, instance, result.dagster_run
            ).for_run_failure()
        )
    assert hook.titles == told


def run_of(instance: DagsterInstance) -> ExecuteInProcessResult:
    """A run of the job, in this process."""
    return defs.resolve_job_def(JOB).execute_in_process(
        instance=instance, asset_selection=[AssetKey(["raw", "open_tasks"])], raise_on_error=False
    )


def look_at(instance: DagsterInstance, result: ExecuteInProcessResult) -> None:
    """The sensor for runs of this kind looks at a run."""
    kind = DagsterEventType.RUN_SUCCESS if result.success else DagsterEventType.RUN_FAILURE
    [end] = [event for event in result.all_events if event.event_type is kind]
    context = build_run_status_sensor_context("any", end, instance, result.dagster_run)
    if result.success:
        alert_of_recovered_runs(context)
    else:
        alert_of_failed_runs(context.for_run_failure())


def test_a_failure_that_is_mended_before_the_sensor_looks_is_not_told_again(hook: Webhook) -> None:
    with DagsterInstance.ephemeral() as instance, configured_crm() as crm:
        crm.faults.append(always("open_tasks", lambda: json_response({}, 403)))
        failed = run_of(instance)
        crm.faults.clear()
        assert run_of(instance).success
        told = list(hook.titles)
        assert told == [f"crm_assets: {what}: asset raw/open_tasks" for what in ("problem", "recovered")]
        look_at(instance, failed)
    assert hook.titles == told


def test_a_check_that_passes_before_the_sensor_looks_is_not_told_again(hook: Webhook) -> None:
    with DagsterInstance.ephemeral() as instance, configured_crm(lists={"open_tasks": [{"title": "no id"}]}) as crm:
        failing = run_of(instance)
        crm.lists["open_tasks"].clear()
        assert run_of(instance).success
        told = list(hook.titles)
        assert len(told) == 2
        look_at(instance, failing)
    assert hook.titles == told


def test_a_killed_run_is_not_told_when_a_later_one_has_succeeded(hook: Webhook) -> None:
    with DagsterInstance.ephemeral() as instance, configured_crm():
        killed = instance.create_run_for_job(defs.resolve_job_def(JOB), status=DagsterRunStatus.STARTED)
        assert run_of(instance).success
        event = instance.report_run_failed(killed, "The process was killed")
        alert_of_failed_runs(
            build_run_status_sensor_context("alert_of_failed_runs", event, instance, killed).for_run_failure()
        )
    assert hook.titles == []
