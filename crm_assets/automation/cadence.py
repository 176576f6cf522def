"""How often each resource's schedule reads it, and how old assets may get before they count as late."""

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg

from crm_assets.api import ENDPOINTS
from crm_assets.settings import Crm, EndpointSettings, setting_at_load
from crm_assets.settings.endpoints import HOUR_MINUTES
from crm_assets.warehouse.names import RAW


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
