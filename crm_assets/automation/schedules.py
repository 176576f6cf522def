"""The schedules, off until they are turned on: each resource hourly, spread over the hour, and a nightly full read."""

import os

from dagster import ScheduleDefinition

from crm_assets.automation.jobs import RESOURCE_JOBS, crm_full_refresh

TIMEZONE = os.environ.get("CRM_SCHEDULE_TIMEZONE") or "UTC"
"""IANA name of the time zone that the schedules go by, from `CRM_SCHEDULE_TIMEZONE`."""

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
