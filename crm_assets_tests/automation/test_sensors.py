"""What happens after a failed run: `components/test_several_crms.py` has the tables that it loaded."""

from typing import Any

from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    SkipReason,
    build_run_status_sensor_context,
)

from crm_assets.definitions import defs

publish_after_failed_runs: Any = defs.resolve_sensor_def("publish_after_failed_runs")


def test_a_publishing_that_fails_is_not_repeated() -> None:
    with DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(defs.resolve_job_def("publish"), status=DagsterRunStatus.STARTED)
        event = instance.report_run_failed(run, "The disk is full")
        context = build_run_status_sensor_context("publish_after_failed_runs", event, instance, run)
        assert isinstance(publish_after_failed_runs(context.for_run_failure()), SkipReason)
