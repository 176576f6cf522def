"""The jobs: a full read of all resources, an incremental read of all, and one of each resource."""

from collections.abc import Iterable

from dagster import AssetSelection, RunConfig, define_asset_job

from crm_assets.assets.maintenance import MAINTENANCE_ASSETS
from crm_assets.assets.published import PUBLISHED
from crm_assets.assets.raw import RAW_ASSETS, ReadConfig
from crm_assets.console.logger import CONSOLE
from crm_assets.source.api import ENDPOINTS
from crm_assets.source.reading.report import ReadMode
from crm_assets.sql_models.folders import FOLDERS


def _reading(resources: Iterable[str], mode: ReadMode) -> RunConfig:
    ops = {asset.op.name: asset for asset in RAW_ASSETS}
    return RunConfig(
        ops={name: ReadConfig(mode=mode) for name in ops if name.removeprefix("raw__") in set(resources)},
        loggers={CONSOLE: {}},
    )


def _with_its_models(resource: str) -> AssetSelection:
    """A raw asset, the models that depend on it, the other models that these read, and the published copy."""
    raw, models = AssetSelection.assets(["raw", resource]), AssetSelection.groups(*FOLDERS)
    return raw | ((raw.downstream() & models).upstream() & models) | AssetSelection.assets(PUBLISHED)


EVERYTHING = AssetSelection.all() - AssetSelection.groups("lake")

crm_full_refresh = define_asset_job(
    "crm_full_refresh",
    selection=EVERYTHING,
    description="Reads all resources in full, builds all models and publishes. Detects vanished records.",
    config=_reading(ENDPOINTS, ReadMode.full),
)

crm_incremental = define_asset_job(
    "crm_incremental",
    selection=EVERYTHING,
    description="Reads all resources incrementally, builds all models and publishes.",
    config=_reading(ENDPOINTS, ReadMode.incremental),
)

RESOURCE_JOBS = {
    resource: define_asset_job(
        f"{resource}_sync",
        selection=_with_its_models(resource),
        description=f"Reads {resource} incrementally, builds the models that depend on it and publishes.",
        config=_reading([resource], ReadMode.incremental),
    )
    for resource in ENDPOINTS
}

MAINTENANCE_JOBS = [
    define_asset_job(
        "lake_maintenance", selection=[asset], description="Merges the lake's small files and expires old snapshots."
    )
    for asset in MAINTENANCE_ASSETS
]

publish = define_asset_job(
    "publish",
    selection=AssetSelection.assets(PUBLISHED),
    description="Publishes the current tables to readers. A sensor starts it after a failed run.",
    config=RunConfig(loggers={CONSOLE: {}}),
)

JOBS = [crm_full_refresh, crm_incremental, *RESOURCE_JOBS.values(), publish, *MAINTENANCE_JOBS]
