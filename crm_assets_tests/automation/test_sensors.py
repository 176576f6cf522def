"""After a failed run, its tables are published."""

from typing import Any

import pytest
from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    RunRequest,
    SkipReason,
    build_run_status_sensor_context,
)

from crm_assets.definitions import defs
from crm_assets_tests.scripted_crm import always, configured_crm, json_response

publish_after_failed_runs: Any = defs.resolve_sensor_def("publish_after_failed_runs")


def asked_to_publish(instance: DagsterInstance, job: str) -> bool:
    """Whether the sensor asks for a run that publishes, after a run of a job that failed."""
    assets = [AssetKey(["raw", resource]) for resource in ("accounts", "open_tasks")]
    run = defs.resolve_job_def(job)
    result = run.execute_in_process(instance=instance, asset_selection=assets, raise_on_error=False)
    [failure] = [event for event in result.all_events if event.event_type is DagsterEventType.RUN_FAILURE]
    context = build_run_status_sensor_context("publish_after_failed_runs", failure, instance, result.dagster_run)
    return isinstance(publish_after_failed_runs(context.for_run_failure()), RunRequest)


@pytest.mark.slow
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
