"""The schedules of reads: each resource at its cadence, and a nightly full read. They are off until turned on."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache

import dagster as dg

from crm_assets.api import ENDPOINTS
from crm_assets.assets.attributes import asset_key
from crm_assets.automation.cadence import cron, start_minute
from crm_assets.automation.jobs import AssetJob, CrmJobs
from crm_assets.settings import Crm, setting_at_load
from crm_assets.settings.endpoints import HOUR_MINUTES
from crm_assets.source.schemas import resource_schema
from crm_assets.warehouse.names import RAW

NIGHTLY = 150
"""The minute of the day at which the nightly full read begins: half past two."""


@cache
def configured_timezone() -> tuple[str, str]:
    """The time zone in `CRM_SCHEDULE_TIMEZONE`, and a warning if it is wrong, which is logged once: schedules load."""
    warnings: list[str] = []
    timezone = setting_at_load("schedule_timezone", warnings.append)
    for warning in warnings:
        dg.get_dagster_logger().warning(warning)
    return timezone, " ".join(warnings)


def build_schedules(
    crm: Crm, jobs: CrmJobs, cadences: Mapping[str, timedelta], start: int = 0
) -> list[dg.ScheduleDefinition]:
    """The schedules of a CRM.

    Args:
        crm: The CRM.
        jobs: Its jobs.
        cadences: Resource -> the time between two reads.
        start: Minutes by which they start later.
    """
    hour, minute = divmod(NIGHTLY + start, HOUR_MINUTES)
    timezone, warning = configured_timezone()
    full_refresh = dg.ScheduleDefinition(
        name=crm.named("crm_full_refresh_schedule"),
        job=jobs.full_refresh,
        cron_schedule=f"{minute} {hour} * * *",
        execution_timezone=timezone,
        description=f"Every night: reads all resources in full, to detect vanished records. {warning}".rstrip(),
    )
    return [
        *(
            _resource_schedule(crm, resource, job, cadences[resource], start)
            for resource, job in jobs.resources.items()
        ),
        full_refresh,
    ]


def _resource_schedule(crm: Crm, resource: str, job: AssetJob, cadence: timedelta, start: int) -> dg.ScheduleDefinition:
    """Starts incremental reads of a resource. The sensor `build_what_changed` builds models if anything changed."""
    timezone, warning = configured_timezone()
    how = "incrementally" if resource_schema(resource).has_updated_at else "in full, since it has no updated_at"

    @dg.schedule(
        name=crm.named(f"{resource}_schedule"),
        job=job,
        cron_schedule=cron(start_minute([*ENDPOINTS].index(resource)) + start, cadence),
        execution_timezone=timezone,
        description=f"Reads {resource} {how}. A sensor builds models if anything changed. {warning}".rstrip(),
    )
    def read_changes() -> dg.RunRequest:
        return dg.RunRequest(asset_selection=[asset_key(crm, f"{RAW}.{resource}")])

    return read_changes
