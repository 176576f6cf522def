"""Sensors that alert to what an asset's hook cannot see. They need Dagster's daemon, which `dagster dev` includes."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from dagster import (
    AssetKey,
    DagsterEvent,
    DagsterEventType,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunFailureSensorContext,
    RunRequest,
    RunStatusSensorContext,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    run_failure_sensor,
    run_status_sensor,
    sensor,
)

from crm_assets.alerts.hooks import asset_of, check_incidents
from crm_assets.alerts.incidents import Incident
from crm_assets.alerts.settling import settle_incidents
from crm_assets.automation.freshness import find_late
from crm_assets.automation.jobs import AssetJob
from crm_assets.automation.still_true import evaluations, failed_steps, has_succeeded_since
from crm_assets.settings import Crm


@run_failure_sensor(name="alert_of_failed_runs", default_status=DefaultSensorStatus.RUNNING)
def alert_of_failed_runs(context: RunFailureSensorContext) -> None:
    """Alerts to runs that were killed or never started, and to steps whose process died."""
    instance, run = context.instance, context.dagster_run
    failing = [_failed(step) for step in failed_steps(instance, run)]
    if not context.get_step_failure_events() and not has_succeeded_since(instance, run):
        failing = [Incident(f"run {run.job_name}", f"A run of {run.job_name} failed: {context.failure_event.message}")]
    checks, passing = check_incidents(evaluations(instance, run))
    settle_incidents([*failing, *checks], passing, f"runs/{run.run_id}")


@run_status_sensor(
    name="alert_of_recovered_runs", run_status=DagsterRunStatus.SUCCESS, default_status=DefaultSensorStatus.RUNNING
)
def alert_of_recovered_runs(context: RunStatusSensorContext) -> None:
    """Closes the incident of a job that succeeded, and settles those of checks that ran as separate steps."""
    run = context.dagster_run
    checks, passing = check_incidents(evaluations(context.instance, run))
    settle_incidents(checks, [f"run {run.job_name}", *passing], f"runs/{run.run_id}")


RUN_SENSORS = [alert_of_failed_runs, alert_of_recovered_runs]
"""The sensors that look at the runs of all CRMs."""


def build_sensors(crm: Crm, publish: AssetJob, ages: Mapping[AssetKey, timedelta]) -> list[SensorDefinition]:
    """The sensors of a CRM.

    Args:
        crm: The CRM.
        publish: The job that publishes its tables.
        ages: The allowed age of each of its assets.
    """

    @run_failure_sensor(
        name=crm.named("publish_after_failed_runs"), request_job=publish, default_status=DefaultSensorStatus.RUNNING
    )
    def publish_after_failed_runs(context: RunFailureSensorContext) -> RunRequest | SkipReason:
        """Publishes after a run with a failed asset, for which Dagster skips the publishing step.

        Otherwise one list that the API refuses would keep readers from ever seeing new data.
        """
        run = context.dagster_run
        if run.job_name == publish.name:
            return SkipReason("The publishing itself failed")
        logs = context.instance.all_logs(run.run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION)
        made = any(log.get_dagster_event().asset_key in ages for log in logs)
        return RunRequest(run_key=run.run_id) if made else SkipReason("The run materialized nothing")

    @sensor(
        name=crm.named("alert_of_late_tables"),
        minimum_interval_seconds=300,
        default_status=DefaultSensorStatus.RUNNING,
    )
    def alert_of_late_tables(context: SensorEvaluationContext) -> SkipReason:
        """Alerts to assets that are older than their freshness policies allow."""
        late, in_time = find_late(context.instance, ages, datetime.now(timezone.utc))
        settle_incidents(late, in_time, "assets")
        return SkipReason(f"{len(late)} tables are late, {len(in_time)} are not.")

    return [publish_after_failed_runs, alert_of_late_tables]


def _failed(step: DagsterEvent) -> Incident:
    asset = asset_of(step.step_key or "")
    error = step.step_failure_data.error
    return Incident(f"asset {asset}", f"{asset} failed: {error.message if error else 'its process ended'}")
