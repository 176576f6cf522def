"""The jobs of a CRM: a full read of all resources, an incremental read of all, one of each resource, publishing."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dagster import AssetsDefinition, AssetSelection, RunConfig, define_asset_job

from crm_assets.api import ENDPOINTS
from crm_assets.assets.keys import asset_key
from crm_assets.assets.maintenance import MAINTENANCE_ASSETS
from crm_assets.assets.published import PUBLISHED
from crm_assets.assets.raw import ReadConfig
from crm_assets.console.logger import CONSOLE
from crm_assets.settings import Crm
from crm_assets.source.reading.report import ReadMode
from crm_assets.sql_models.folders import FOLDERS
from crm_assets.warehouse.schemas import RAW

AssetJob = Any
"""The result of `define_asset_job`, whose type Dagster does not export."""


@dataclass(frozen=True)
class CrmJobs:
    """The jobs of one CRM.

    Attributes:
        full_refresh: Reads all resources in full, then builds and publishes.
        incremental: The same with incremental reads.
        resources: Resource -> the job that reads it alone, builds what depends on it, and publishes.
        publish: Only publishes.
    """

    full_refresh: AssetJob
    incremental: AssetJob
    resources: Mapping[str, AssetJob]
    publish: AssetJob

    @property
    def all(self) -> list[AssetJob]:
        """All of them."""
        return [self.full_refresh, self.incremental, *self.resources.values(), self.publish]


def assets_of(crm: Crm) -> AssetSelection:
    """Everything that belongs to a CRM."""
    return AssetSelection.key_prefixes([crm.name]) if crm.name else AssetSelection.all() - AssetSelection.groups("lake")


def build_jobs(crm: Crm, raw_assets: Collection[AssetsDefinition]) -> CrmJobs:
    """The jobs of a CRM."""

    def reading(resources: Iterable[str], mode: ReadMode) -> RunConfig:
        keys = {asset_key(crm, f"{RAW}.{resource}") for resource in resources}
        ops = {asset.op.name: ReadConfig(mode=mode) for asset in raw_assets if asset.key in keys}
        return RunConfig(ops=ops, loggers={CONSOLE: {}})

    return CrmJobs(
        full_refresh=define_asset_job(
            crm.named("crm_full_refresh"),
            selection=assets_of(crm),
            description="Reads all resources in full, builds all models and publishes. Detects vanished records.",
            config=reading(ENDPOINTS, ReadMode.full),
        ),
        incremental=define_asset_job(
            crm.named("crm_incremental"),
            selection=assets_of(crm),
            description="Reads all resources incrementally, builds all models and publishes.",
            config=reading(ENDPOINTS, ReadMode.incremental),
        ),
        resources={
            resource: define_asset_job(
                crm.named(f"{resource}_sync"),
                selection=_with_its_models(crm, resource),
                description=f"Reads {resource} incrementally, builds the models that depend on it and publishes.",
                config=reading([resource], ReadMode.incremental),
            )
            for resource in ENDPOINTS
        },
        publish=define_asset_job(
            crm.named("publish"),
            selection=AssetSelection.assets(asset_key(crm, PUBLISHED)),
            description="Publishes the current tables to readers. A sensor starts it after a failed run.",
            config=RunConfig(loggers={CONSOLE: {}}),
        ),
    )


def _with_its_models(crm: Crm, resource: str) -> AssetSelection:
    """A raw asset, the models that depend on it, the other models that these read, and the published copy."""
    raw = AssetSelection.assets(asset_key(crm, f"{RAW}.{resource}"))
    models = AssetSelection.groups(*map(crm.named, FOLDERS))
    published = AssetSelection.assets(asset_key(crm, PUBLISHED))
    return raw | ((raw.downstream() & models).upstream() & models) | published


MAINTENANCE_JOBS = [
    define_asset_job(
        "lake_maintenance", selection=[asset], description="Merges the lake's small files and expires old snapshots."
    )
    for asset in MAINTENANCE_ASSETS
]
