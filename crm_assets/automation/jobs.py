"""The jobs of a CRM: full and incremental reads of all resources, one of each, publishing; the executor of all runs."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import dagster as dg

from crm_assets.assets.attributes import asset_key
from crm_assets.assets.published import PUBLISHED
from crm_assets.assets.raw import ReadConfig
from crm_assets.console import CONSOLE
from crm_assets.settings import Crm, setting_at_load
from crm_assets.source.reading.report import ReadMode

AssetJob = Any
"""The result of `define_asset_job`, whose type Dagster does not export."""


@dataclass(frozen=True)
class CrmJobs:
    """The jobs of one CRM.

    Attributes:
        full_refresh: Reads all resources in full, then builds and publishes.
        incremental: The same with incremental reads.
        resources: Resource -> the job that reads it alone, builds what depends on it, and publishes.
        build: Builds and publishes, without reading.
        publish: Only publishes.
    """

    full_refresh: AssetJob
    incremental: AssetJob
    resources: Mapping[str, AssetJob]
    build: AssetJob
    publish: AssetJob

    @property
    def all(self) -> list[AssetJob]:
        """All of them."""
        return [self.full_refresh, self.incremental, *self.resources.values(), self.build, self.publish]


def build_jobs(
    crm: Crm,
    raw_assets: Collection[dg.AssetsDefinition],
    models: Collection[dg.AssetsDefinition],
    reports: Collection[dg.AssetsDefinition],
    cross_checks: Collection[dg.AssetChecksDefinition],
) -> CrmJobs:
    """The jobs of a CRM.

    They select no checks that run together with an asset, which reports them by itself: Dagster stores two events more
    for each that is selected.
    """

    def selected(assets: Iterable[dg.AssetsDefinition]) -> dg.AssetSelection:
        alone = dg.AssetSelection.assets(*assets, asset_key(crm, PUBLISHED)).without_checks()
        keys = {asset.key for asset in assets}
        checks = [key for check in cross_checks for key in check.check_keys if key.asset_key in keys]
        return alone | dg.AssetSelection.checks(*checks)

    def reading(
        assets: Iterable[dg.AssetsDefinition], mode: ReadMode, built: Iterable[dg.AssetsDefinition]
    ) -> dg.RunConfig:
        reads = {asset.op.name: ReadConfig(mode=mode) for asset in assets}
        builds = {asset.op.name: {"config": {"only_if_changed": True}} for asset in built}
        return dg.RunConfig(ops={**reads, **builds}, loggers={CONSOLE: {}})

    def depending_on(asset: dg.AssetsDefinition) -> list[dg.AssetsDefinition]:
        both = (dg.AssetSelection.assets(asset).downstream() & dg.AssetSelection.assets(*models)).upstream()
        keys = both.resolve([*raw_assets, *models])
        return [model for model in models if model.key in keys]

    return CrmJobs(
        full_refresh=dg.define_asset_job(
            crm.named("crm_full_refresh"),
            selection=selected([*raw_assets, *models, *reports]),
            description="Reads all resources in full, builds models that have changed and publishes. Detects vanished "
            "records.",
            config=reading(raw_assets, ReadMode.full, [*models, *reports]),
        ),
        incremental=dg.define_asset_job(
            crm.named("crm_incremental"),
            selection=selected([*raw_assets, *models, *reports]),
            description="Reads all resources incrementally, builds models that have changed and publishes.",
            config=reading(raw_assets, ReadMode.incremental, [*models, *reports]),
        ),
        resources={
            resource: dg.define_asset_job(
                crm.named(f"{resource}_sync"),
                selection=selected([asset, *depending_on(asset)]),
                description=f"Reads {resource} incrementally, builds the models that depend on it and publishes.",
                config=reading([asset], ReadMode.incremental, depending_on(asset)),
            )
            for asset in raw_assets
            for resource in asset.key.path[-1:]
        },
        build=dg.define_asset_job(
            crm.named("crm_build"),
            selection=selected([*models, *reports]),
            description="Builds models and reports whose inputs have changed, and publishes. Reads nothing. The sensor "
            f"{crm.named('build_what_changed')} starts it.",
            config=reading([], ReadMode.incremental, [*models, *reports]),
        ),
        publish=dg.define_asset_job(
            crm.named("publish"),
            selection=dg.AssetSelection.assets(asset_key(crm, PUBLISHED)),
            description="Publishes the current tables to readers. A sensor starts it after a failed run.",
            config=dg.RunConfig(loggers={CONSOLE: {}}),
        ),
    )


EXECUTORS: Mapping[str, dg.ExecutorDefinition] = {
    "in_process": dg.in_process_executor,
    "multiprocess": dg.multiprocess_executor,
}
"""Value of `CRM_EXECUTOR` -> executor that runs steps on the machine of their run."""

IN_CONTAINERS: Mapping[str, tuple[str, str]] = {
    "docker": ("dagster_docker", "docker_executor"),
    "k8s": ("dagster_k8s", "k8s_job_executor"),
}
"""Value of `CRM_EXECUTOR`, also the name of its extra -> module and attribute of an executor that runs each step in a
container."""


def configured_executor() -> dg.ExecutorDefinition:
    """The executor in `CRM_EXECUTOR`.

    An unknown name, or an extra that is not installed, is only a warning, since the code location must load.
    """
    warn = dg.get_dagster_logger().warning
    name = setting_at_load("executor", warn)
    if name in EXECUTORS:
        return EXECUTORS[name]
    module, attribute = IN_CONTAINERS[name]
    try:
        executor: dg.ExecutorDefinition = getattr(import_module(module), attribute)
    except ImportError as error:
        warn(
            f"Setting CRM_EXECUTOR is {name!r}, but its packages are not installed ({error}). Install them with: "
            f"pip install 'crm_assets[{name}]'. Steps run in the process of their run."
        )
        return dg.in_process_executor
    return executor
