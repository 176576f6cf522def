"""Freshness policies: how old tables may be before the UI shows them as late and alerts are sent."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from dagster import AssetKey, AssetsDefinition, FreshnessPolicy

from crm_assets.warehouse.schemas import RAW

MISSED_READS = 3
"""A raw table is late after this many missed reads of its schedule."""

A_NIGHT = timedelta(hours=26)
"""From one nightly job to the end of the next, which alone builds models without changed inputs."""


def allowed_age(key: AssetKey, cadences: Mapping[str, timedelta]) -> timedelta:
    """The allowed age of an asset: that of raw tables depends on their schedule, that of others on their inputs.

    `cadences`: resource -> the time between two scheduled reads.
    """
    *_, layer, table = key.path
    if layer == RAW:
        return MISSED_READS * cadences[table]
    return A_NIGHT + MISSED_READS * max(cadences.values())


def with_freshness(
    assets: Sequence[AssetsDefinition], ages: Mapping[AssetKey, timedelta]
) -> Iterator[AssetsDefinition]:
    """The same assets, each with its freshness policy: a warning after two thirds of the allowed age."""
    for asset in assets:
        yield _kept_fresh(ages[asset.key], asset)


def _kept_fresh(allowed: timedelta, asset: AssetsDefinition) -> AssetsDefinition:
    policy = FreshnessPolicy.time_window(fail_window=allowed, warn_window=allowed * 2 / 3)
    return asset.map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=policy))
