"""What happens after a failed run: `components/test_several_crms.py` has the tables that it loaded."""

from typing import Any

import dagster as dg
from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    SkipReason,
    build_run_status_sensor_context,
)

from crm_assets.definitions import defs

publish_after_failed_runs: Any = defs.resolve_sensor_def("publish_after_failed_runs")


def test_runs_that_failed_before_it_looks_are_published_once() -> None:
    @dg.asset(key=["raw", "accounts"])
    def accounts() -> None: ...

    @dg.asset
    def failing() -> None:
        raise RuntimeError

    with DagsterInstance.ephemeral() as instance:
        failed = [dg.materialize([accounts, failing], instance=instance, raise_on_error=False) for _ in range(3)]
        asked = set()
        for result in failed:
            [failure] = [event for event in result.all_events if event.event_type is dg.DagsterEventType.RUN_FAILURE]
            context = build_run_status_sensor_context(
                "publish_after_failed_runs", failure, instance, result.dagster_run
            )
            asked.add(publish_after_failed_runs(context.for_run_failure()).run_key)
    assert asked == {failed[-1].run_id}


def test_a_publishing_that_fails_is_not_repeated() -> None:
    with DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(defs.resolve_job_def("publish"), status=DagsterRunStatus.STARTED)
        event = instance.report_run_failed(run, "The disk is full")
        context = build_run_status_sensor_context("publish_after_failed_runs", event, instance, run)
        assert isinstance(publish_after_failed_runs(context.for_run_failure()), SkipReason)
