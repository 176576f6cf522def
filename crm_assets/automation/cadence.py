"""How often each resource's schedule reads it, and how old assets may get before they count as late."""

from collections.abc import Iterator, Mapping, Sequence
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


def start_minute(position: int, step: int) -> int:
    """The minute of the hour at which the thing at a position starts: `step` minutes after the one before it.

    Each round of the clock is seven minutes later than the last, so sixty things start at sixty different minutes, and
    one more at the end moves no other. `step` must divide 60.
    """
    return (position * step + position * step // HOUR_MINUTES * 7) % HOUR_MINUTES


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


def with_freshness(
    assets: Sequence[dg.AssetsDefinition], ages: Mapping[dg.AssetKey, timedelta]
) -> Iterator[dg.AssetsDefinition]:
    """The same assets, each with its freshness policy: a warning after two thirds of the allowed age."""
    for asset in assets:
        yield _kept_fresh(ages[asset.key], asset)


def _kept_fresh(allowed: timedelta, asset: dg.AssetsDefinition) -> dg.AssetsDefinition:
    policy = dg.FreshnessPolicy.time_window(fail_window=allowed, warn_window=allowed * 2 / 3)
    return asset.map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=policy))
