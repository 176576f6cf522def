"""The schedules of reads: each resource at its cadence, and a nightly full read. They are off until turned on.

How old assets may get before they count as late follows from them.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache

import dagster as dg

from crm_assets.api import ENDPOINTS
from crm_assets.assets.attributes import asset_key
from crm_assets.automation.jobs import AssetJob, CrmJobs
from crm_assets.settings import Crm, EndpointSettings, setting_at_load
from crm_assets.settings.endpoints import HOUR_MINUTES
from crm_assets.source.schemas import resource_schema
from crm_assets.warehouse.names import RAW

NIGHTLY = 150
"""The minute of the day at which the nightly full read begins: half past two."""


def read_cadences(crm: Crm) -> dict[str, timedelta]:
    """Resource -> the time between two scheduled reads: `cadence_minutes` in the settings of its endpoint.

    A wrong setting is reported by the runs, not here.
    """
    endpoints: Mapping[str, EndpointSettings] = setting_at_load("endpoints", crm=crm)
    return {
        resource: timedelta(minutes=endpoints.get(resource, EndpointSettings()).cadence_minutes)
        for resource in ENDPOINTS
    }


STEP = 12
"""Minutes between the schedules of one resource and the next. They must divide 60."""


def start_minute(position: int) -> int:
    """The minute of the hour at which the resource at a position of `ENDPOINTS` starts.

    Each round of the clock is seven minutes later than the last, so sixty resources start at sixty different minutes,
    and one more at the end moves no other.
    """
    return (position * STEP + position * STEP // HOUR_MINUTES * 7) % HOUR_MINUTES


def cron(minute: int, cadence: timedelta) -> str:
    """The cron expression of a schedule.

    Args:
        minute: The resource's own minute, so that no two resources start at the same time.
        cadence: Minutes that divide an hour, or whole hours that divide a day.
    """
    minute, minutes = minute % HOUR_MINUTES, cadence // timedelta(minutes=1)
    if minutes > HOUR_MINUTES:
        return f"{minute} */{minutes // HOUR_MINUTES} * * *"
    return f"{','.join(map(str, range(minute % minutes, HOUR_MINUTES, minutes)))} * * * *"


@cache
def configured_timezone() -> tuple[str, str]:
    """The time zone in `CRM_SCHEDULE_TIMEZONE`, and a warning if it is wrong, which is logged once: schedules load."""
    warnings: list[str] = []
    timezone = setting_at_load("schedule_timezone", warnings.append)
    for warning in warnings:
        dg.get_dagster_logger().warning(warning)
    return timezone, " ".join(warnings)


def build_schedules(
    crm: Crm, jobs: CrmJobs, cadences: Mapping[str, timedelta], start: int
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


MISSED_READS = 3
"""A raw table is late after this many missed reads of its schedule."""

A_NIGHT = timedelta(hours=26)
"""From one nightly job to the end of the next, which alone materializes models without changed inputs."""


def allowed_age(key: dg.AssetKey, cadences: Mapping[str, timedelta]) -> timedelta:
    """The allowed age of an asset: that of raw tables depends on their schedule, that of others on their inputs.

    `cadences`: resource -> the time between two scheduled reads.
    """
    *_, layer, table = key.path
    if layer == RAW:
        return MISSED_READS * cadences[table]
    return A_NIGHT + MISSED_READS * max(cadences.values())


def kept_fresh(spec: dg.AssetSpec, cadences: Mapping[str, timedelta]) -> dg.AssetSpec:
    """The spec of an asset with its freshness policy: a warning after two thirds of the allowed age."""
    allowed = allowed_age(spec.key, cadences)
    policy = dg.FreshnessPolicy.time_window(fail_window=allowed, warn_window=allowed * 2 / 3)
    return spec.replace_attributes(freshness_policy=policy)
