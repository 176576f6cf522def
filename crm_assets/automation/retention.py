"""Deletes old runs, with their events and logs: a sensor, so that it needs neither a run nor a schedule to be on."""

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

import dagster as dg

from crm_assets.counting import counted
from crm_assets.dagster_internals import delete_run, latest_check_runs
from crm_assets.settings import setting_at_load, setting_name

AT_A_TIME = 100
"""Runs deleted per tick: it ends long before Dagster's limit of a minute, and other processes never wait for it."""

ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dg.sensor(
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Deletes runs older than `CRM_KEEP_RUNS_DAYS`, except those that have the current state of an asset.",
)
def delete_old_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Deletes a hundred runs at most, and says how many."""
    now, repository = datetime.now(timezone.utc), context.repository_def
    # The context's logger would leave an empty file at each tick.
    days = setting_at_load("keep_runs_days", dg.get_dagster_logger().warning)
    if not days:
        return dg.SkipReason(f"{setting_name('keep_runs_days')} is 0: all runs are kept")
    checks = repository.asset_graph.asset_check_keys if repository else set()
    deleted = delete_runs_before(context.instance, now - timedelta(days=days), checks)
    return dg.SkipReason(f"Deleted {counted(deleted, 'run')} older than {counted(days, 'day')}")


def delete_runs_before(instance: dg.DagsterInstance, before: datetime, checks: Iterable[dg.AssetCheckKey]) -> int:
    """Deletes up to `AT_A_TIME` of the oldest runs that have ended, and returns how many it deleted.

    Runs of an asset's latest materialization or of a check's latest evaluation are kept, however old.

    Args:
        instance: Dagster's instance.
        before: Only runs created before this time are deleted.
        checks: All asset checks.
    """
    kept = _latest_runs(instance) | set(latest_check_runs(instance, checks).values())
    records = instance.get_run_records(
        dg.RunsFilter(statuses=ENDED, created_before=before), limit=AT_A_TIME + len(kept), ascending=True
    )
    old = [record.dagster_run.run_id for record in records if record.dagster_run.run_id not in kept][:AT_A_TIME]
    for run_id in old:
        delete_run(instance, run_id)
    return len(old)


def _latest_runs(instance: dg.DagsterInstance) -> set[str]:
    """The runs that last materialized an asset, or were last asked to."""
    entries = [record.asset_entry for record in instance.get_asset_records()]
    made = {entry.last_materialization.run_id for entry in entries if entry.last_materialization}
    return made | {entry.last_run_id for entry in entries if entry.last_run_id}
