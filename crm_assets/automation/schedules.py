"""The schedules, off until they are turned on: each resource at its cadence, and a nightly full read."""

from dagster import AssetKey, RunRequest, ScheduleDefinition, get_dagster_logger, schedule

from crm_assets.automation.cadence import CRONS
from crm_assets.automation.jobs import MAINTENANCE_JOBS, RESOURCE_JOBS, crm_full_refresh
from crm_assets.settings import setting_at_load
from crm_assets.warehouse.raw_tables import RAW


def configured_timezone() -> tuple[str, str]:
    """The time zone in `CRM_SCHEDULE_TIMEZONE`, and a warning if it is wrong: schedules must load."""
    wrong: list[str] = []
    return setting_at_load("schedule_timezone", wrong.append), " ".join(wrong)


TIMEZONE, WRONG = configured_timezone()
if WRONG:
    get_dagster_logger().warning(WRONG)


def resource_schedule(resource: str) -> ScheduleDefinition:
    """Starts incremental reads of a resource. The sensor `build_what_changed` builds models if anything changed."""

    @schedule(
        name=f"{resource}_schedule",
        job=RESOURCE_JOBS[resource],
        cron_schedule=CRONS[resource],
        execution_timezone=TIMEZONE,
        description=f"Reads {resource} incrementally. A sensor builds models if anything changed. {WRONG}".rstrip(),
    )
    def read_changes() -> RunRequest:
        return RunRequest(asset_selection=[AssetKey([RAW, resource])])

    return read_changes


HOURLY = [resource_schedule(resource) for resource in RESOURCE_JOBS]

FULL_REFRESH = ScheduleDefinition(
    name="crm_full_refresh_schedule",
    job=crm_full_refresh,
    cron_schedule="30 2 * * *",
    execution_timezone=TIMEZONE,
    description=f"Every night: reads all resources in full, to detect vanished records. {WRONG}".rstrip(),
)

UPKEEP = [
    ScheduleDefinition(
        name="lake_maintenance_schedule",
        job=job,
        cron_schedule="30 4 * * *",
        execution_timezone=TIMEZONE,
        description=f"Every night, after the full read: merges small files, expires old snapshots. {WRONG}".rstrip(),
    )
    for job in MAINTENANCE_JOBS
]

SCHEDULES = [*HOURLY, FULL_REFRESH, *UPKEEP]
