"""The schedules, off until they are turned on: each resource hourly, spread over the hour, and a nightly full read."""

import os
from zoneinfo import ZoneInfo

from dagster import ScheduleDefinition, get_dagster_logger

from crm_assets.automation.jobs import RESOURCE_JOBS, crm_full_refresh


def configured_timezone() -> str:
    """IANA name of the time zone in `CRM_SCHEDULE_TIMEZONE`. One that is none is warned of: schedules have to load."""
    name = os.environ.get("CRM_SCHEDULE_TIMEZONE") or "UTC"
    try:
        return ZoneInfo(name).key
    except (LookupError, ValueError, OSError):  # of no zone, of a path, of a folder of zones
        get_dagster_logger().warning(
            f"CRM_SCHEDULE_TIMEZONE is {name!r}, which is no time zone: UTC is used. Allowed are names such as "
            "Europe/Berlin"
        )
        return "UTC"


TIMEZONE = configured_timezone()
MINUTES_APART = 60 // len(RESOURCE_JOBS)

SCHEDULES = [
    ScheduleDefinition(
        name=f"{resource}_schedule",
        job=job,
        cron_schedule=f"{index * MINUTES_APART} * * * *",
        execution_timezone=TIMEZONE,
        description=f"Every hour: what changed in {resource}, and the models that depend on it.",
    )
    for index, (resource, job) in enumerate(RESOURCE_JOBS.items())
] + [
    ScheduleDefinition(
        name="crm_full_refresh_schedule",
        job=crm_full_refresh,
        cron_schedule="30 2 * * *",
        execution_timezone=TIMEZONE,
        description="Every night: all resources completely, so that vanished records are noticed.",
    )
]
