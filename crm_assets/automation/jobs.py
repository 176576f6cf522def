"""The jobs: everything read in full, everything read incrementally, and each resource on its own."""

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
    """A raw asset, the models that depend on it, those models that these read besides, and the published state."""
    raw, models = AssetSelection.assets(["raw", resource]), AssetSelection.groups(*FOLDERS)
    return raw | ((raw.downstream() & models).upstream() & models) | AssetSelection.assets(PUBLISHED)


EVERYTHING = AssetSelection.all() - AssetSelection.groups("lake")

crm_full_refresh = define_asset_job(
    "crm_full_refresh",
    selection=EVERYTHING,
    description="Reads all resources completely, builds all models and publishes. Notices vanished records.",
    config=_reading(ENDPOINTS, ReadMode.full),
)

crm_incremental = define_asset_job(
    "crm_incremental",
    selection=EVERYTHING,
    description="Reads what changed in all resources, builds all models and publishes.",
    config=_reading(ENDPOINTS, ReadMode.incremental),
)

RESOURCE_JOBS = {
    resource: define_asset_job(
        f"{resource}_sync",
        selection=_with_its_models(resource),
        description=f"Reads what changed in {resource}, builds the models that depend on it and publishes.",
        config=_reading([resource], ReadMode.incremental),
    )
    for resource in ENDPOINTS
}

MAINTENANCE_JOBS = [
    define_asset_job(
        "lake_maintenance", selection=[asset], description="Merges the lake's small files, expires states."
    )
    for asset in MAINTENANCE_ASSETS
]

JOBS = [crm_full_refresh, crm_incremental, *RESOURCE_JOBS.values(), *MAINTENANCE_JOBS]
