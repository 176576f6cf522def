"""Ignores failures that a later run has already fixed."""

from collections.abc import Iterator

from dagster import (
    AssetCheckEvaluation,
    AssetKey,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    RunsFilter,
)

from crm_assets.alerts.hooks import asset_of
from crm_assets.dagster_internals import latest_check_runs


def failed_steps(instance: DagsterInstance, run: DagsterRun) -> Iterator[DagsterEvent]:
    """The failures of a run's steps, without those whose asset was materialized since."""
    for failure in instance.all_logs(run.run_id, of_type=DagsterEventType.STEP_FAILURE):
        event = failure.get_dagster_event()
        made = instance.get_latest_materialization_event(AssetKey.from_user_string(asset_of(event.step_key or "")))
        if made is None or made.timestamp < failure.timestamp:
            yield event


def evaluations(instance: DagsterInstance, run: DagsterRun) -> list[AssetCheckEvaluation]:
    """The results of a run's checks, without those of checks that another run has evaluated since."""
    logs = instance.all_logs(run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [log.get_dagster_event().asset_check_evaluation_data for log in logs]
    latest = latest_check_runs(instance, [each.asset_check_key for each in found])
    return [each for each in found if latest[each.asset_check_key] == run.run_id]


def has_succeeded_since(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether a later run of the same job has succeeded."""
    [record] = instance.get_run_records(RunsFilter(run_ids=[run.run_id]))
    later = RunsFilter(
        job_name=run.job_name, statuses=[DagsterRunStatus.SUCCESS], created_after=record.create_timestamp
    )
    return bool(instance.get_run_records(later, limit=1))
