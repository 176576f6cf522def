"""What happens after a failed run: `components/test_several_crms.py` has the tables that it loaded."""

import time
from typing import Any

import dagster as dg
import pytest
from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    SkipReason,
    build_run_status_sensor_context,
)

from crm_assets.definitions import defs

publish_after_failed_runs: Any = defs.resolve_sensor_def("publish_after_failed_runs")


def failed_run(instance: DagsterInstance) -> dg.ExecuteInProcessResult:
    """A run that materializes a table and then fails."""

    @dg.asset(key=["raw", "accounts"])
    def accounts() -> None: ...

    @dg.asset
    def failing() -> None:
        raise RuntimeError

    return dg.materialize([accounts, failing], instance=instance, raise_on_error=False)


def key_of_publishing(instance: DagsterInstance, result: dg.ExecuteInProcessResult) -> str:
    [failure] = [event for event in result.all_events if event.event_type is dg.DagsterEventType.RUN_FAILURE]
    context = build_run_status_sensor_context("publish_after_failed_runs", failure, instance, result.dagster_run)
    return str(publish_after_failed_runs(context.for_run_failure()).run_key)


def test_runs_that_failed_before_it_looks_are_published_once() -> None:
    with DagsterInstance.ephemeral() as instance:
        failed = [failed_run(instance) for _ in range(3)]
        assert len({key_of_publishing(instance, result) for result in failed}) == 1


def test_each_failed_run_is_published_even_after_a_clock_was_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    with DagsterInstance.ephemeral() as instance:
        with monkeypatch.context() as ahead:
            right = time.time
            ahead.setattr("time.time", lambda: right() + 86400)
            first = key_of_publishing(instance, failed_run(instance))
        assert key_of_publishing(instance, failed_run(instance)) != first


def test_a_publishing_that_fails_is_not_repeated() -> None:
    with DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(defs.resolve_job_def("publish"), status=DagsterRunStatus.STARTED)
        event = instance.report_run_failed(run, "The disk is full")
        context = build_run_status_sensor_context("publish_after_failed_runs", event, instance, run)
        assert isinstance(publish_after_failed_runs(context.for_run_failure()), SkipReason)
