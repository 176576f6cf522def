"""The sensor that publishes after failed runs. It needs Dagster's daemon, which `dagster dev` includes."""

from collections.abc import Collection

from dagster import (
    AssetKey,
    DagsterEventType,
    DefaultSensorStatus,
    RunFailureSensorContext,
    RunRequest,
    SensorDefinition,
    SkipReason,
    run_failure_sensor,
)

from crm_assets.automation.jobs import AssetJob
from crm_assets.settings import Crm


def build_publishing_sensor(crm: Crm, publish: AssetJob, assets: Collection[AssetKey]) -> SensorDefinition:
    """The sensor that publishes a CRM's tables after failed runs.

    Args:
        crm: The CRM.
        publish: The job that publishes its tables.
        assets: The keys of its assets.
    """

    @run_failure_sensor(
        name=crm.named("publish_after_failed_runs"),
        request_job=publish,
        default_status=DefaultSensorStatus.RUNNING,
        description="Publishes the tables after a run with a failed asset, in which Dagster skips that step.",
    )
    def publish_after_failed_runs(context: RunFailureSensorContext) -> RunRequest | SkipReason:
        """Otherwise one list that the API refuses would keep readers from ever seeing new data."""
        run = context.dagster_run
        if run.job_name == publish.name:
            return SkipReason("The publishing itself failed")
        logs = context.instance.all_logs(run.run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION)
        made = any(log.get_dagster_event().asset_key in assets for log in logs)
        return RunRequest(run_key=run.run_id) if made else SkipReason("The run materialized nothing")

    return publish_after_failed_runs
