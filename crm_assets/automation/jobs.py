"""The jobs of a CRM: full and incremental reads of all resources, one of each, publishing; the executor of all runs."""

from collections.abc import Collection, Mapping, Sequence
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


def build_jobs(
    crm: Crm,
    raw_assets: Sequence[dg.AssetsDefinition],
    models: Sequence[dg.AssetsDefinition],
    reports: Sequence[dg.AssetsDefinition],
    cross_checks: Collection[dg.AssetChecksDefinition],
) -> Mapping[str, AssetJob]:
    """The jobs of a CRM: name, without that of the CRM -> job.

    They select no checks that run together with an asset, which reports them by itself: Dagster stores two events more
    for each that is selected.
    """

    def job(
        name: str,
        description: str,
        read: Sequence[dg.AssetsDefinition],
        built: Sequence[dg.AssetsDefinition],
        mode: ReadMode = ReadMode.incremental,
    ) -> AssetJob:
        keys = {asset.key for asset in (*read, *built)}
        checks = [key for check in cross_checks for key in check.check_keys if key.asset_key in keys]
        alone = dg.AssetSelection.assets(*keys, asset_key(crm, PUBLISHED)).without_checks()
        reads = {asset.op.name: ReadConfig(mode=mode) for asset in read}
        builds = {asset.op.name: {"config": {"only_if_changed": True}} for asset in built}
        return dg.define_asset_job(
            crm.named(name),
            selection=alone | dg.AssetSelection.checks(*checks),
            description=description,
            config=dg.RunConfig(ops={**reads, **builds}, loggers={CONSOLE: {}}),
        )

    def depending_on(asset: dg.AssetsDefinition) -> list[dg.AssetsDefinition]:
        both = (dg.AssetSelection.assets(asset).downstream() & dg.AssetSelection.assets(*models)).upstream()
        keys = both.resolve([*raw_assets, *models])
        return [model for model in models if model.key in keys]

    full = "Reads all resources in full, builds models that have changed and publishes. Detects vanished records."
    incremental = "Reads all resources incrementally, builds models that have changed and publishes."
    build = (
        "Builds models and reports whose inputs have changed, and publishes. Reads nothing. The sensor "
        f"{crm.named('build_what_changed')} starts it."
    )
    publish = "Publishes the current tables to readers. A sensor starts it after a failed run."
    jobs = {
        "crm_full_refresh": job("crm_full_refresh", full, raw_assets, [*models, *reports], ReadMode.full),
        "crm_incremental": job("crm_incremental", incremental, raw_assets, [*models, *reports]),
        "crm_build": job("crm_build", build, [], [*models, *reports]),
        "publish": job("publish", publish, [], []),
    }
    for asset in raw_assets:
        name, resource = f"{asset.key.path[-1]}_sync", asset.key.path[-1]
        one = f"Reads {resource} incrementally, builds the models that depend on it and publishes."
        jobs[name] = job(name, one, [asset], depending_on(asset))
    return jobs


EXECUTORS: Mapping[str, tuple[str, str]] = {
    "in_process": ("dagster", "in_process_executor"),
    "multiprocess": ("dagster", "multiprocess_executor"),
    "docker": ("dagster_docker", "docker_executor"),
    "k8s": ("dagster_k8s", "k8s_job_executor"),
}
"""Value of `CRM_EXECUTOR` -> module and attribute of the executor. The last two run each step in a container; the
extras with their packages have the same names."""


def configured_executor() -> dg.ExecutorDefinition:
    """The executor in `CRM_EXECUTOR`.

    An unknown name, or an extra that is not installed, is only a warning, since the code location must load.
    """
    warn = dg.get_dagster_logger().warning
    name = setting_at_load("executor", warn)
    module, attribute = EXECUTORS[name]
    try:
        executor: dg.ExecutorDefinition = getattr(import_module(module), attribute)
    except ImportError as error:
        warn(
            f"Setting CRM_EXECUTOR is {name!r}, but its packages are not installed ({error}). Install them with: "
            f"pip install 'crm_assets[{name}]'. Steps run in the process of their run."
        )
        return dg.in_process_executor
    return executor
