"""The jobs of a CRM: what each materializes, when schedules start it, and so how old assets may get.

Schedules of reads are off until turned on.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cache, partial
from typing import Any

import dagster as dg

from crm_assets.api import ENDPOINTS
from crm_assets.assets.attributes import asset_key
from crm_assets.assets.published import PUBLISHED, build_lake_maintenance
from crm_assets.assets.raw import ReadConfig
from crm_assets.console import CONSOLE
from crm_assets.settings import Crm, EndpointSettings, setting_at_load
from crm_assets.settings.crm import HOUR_MINUTES
from crm_assets.source.reading.report import ReadMode
from crm_assets.source.schemas import resource_schema
from crm_assets.warehouse.tables import RAW

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


NIGHTLY = 150
"""The minute of the day at which the nightly full read begins: half past two."""


def read_cadences(crm: Crm, resources: Iterable[str], own: Mapping[str, int]) -> dict[str, timedelta]:
    """Resource -> the time between two scheduled reads.

    Args:
        crm: The CRM.
        resources: The resources that it loads.
        own: Resource -> minutes. For others `cadence_minutes` in the settings counts; the runs report a wrong one.
    """
    endpoints: Mapping[str, EndpointSettings] = setting_at_load("endpoints", crm=crm)
    set_minutes = {resource: endpoints.get(resource, EndpointSettings()).cadence_minutes for resource in resources}
    return {resource: timedelta(minutes=own.get(resource, minutes)) for resource, minutes in set_minutes.items()}


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


@cache
def _timezone() -> tuple[str, str]:
    """The time zone in `CRM_SCHEDULE_TIMEZONE`, and a warning if it is wrong, which is logged once: schedules load."""
    warnings: list[str] = []
    timezone = setting_at_load("schedule_timezone", warnings.append)
    for warning in warnings:
        dg.get_dagster_logger().warning(warning)
    return timezone, " ".join(warnings)


def schedule(name: str, job: AssetJob, cron_schedule: str, description: str, **options: Any) -> dg.ScheduleDefinition:
    """A schedule in the configured time zone. If that is wrong, its description says so."""
    timezone, warning = _timezone()
    return dg.ScheduleDefinition(
        name=name,
        job=job,
        cron_schedule=cron_schedule,
        execution_timezone=timezone,
        description=f"{description} {warning}".rstrip(),
        **options,
    )


def build_schedules(
    crm: Crm, jobs: Mapping[str, AssetJob], cadences: Mapping[str, timedelta], start: int
) -> list[dg.ScheduleDefinition]:
    """The schedules of a CRM.

    Those of one resource start incremental reads of it. The sensor `build_what_changed` builds models if anything
    changed.

    Args:
        crm: The CRM.
        jobs: Its jobs.
        cadences: Resource -> the time between two reads.
        start: Minutes by which they start later.
    """
    hour, minute = divmod(NIGHTLY + start, HOUR_MINUTES)
    nightly = "Every night: reads all resources in full, to detect vanished records."
    full_refresh = crm.named("crm_full_refresh_schedule")
    schedules = [schedule(full_refresh, jobs["crm_full_refresh"], f"{minute} {hour} * * *", nightly)]
    for resource, cadence in cadences.items():
        how = "incrementally" if resource_schema(resource).has_updated_at else "in full, since it has no updated_at"
        schedules.append(
            schedule(
                crm.named(f"{resource}_schedule"),
                jobs[f"{resource}_sync"],
                cron(start_minute([*ENDPOINTS].index(resource)) + start, cadence),
                f"Reads {resource} {how}. A sensor builds models if anything changed.",
                execution_fn=partial(_read_only, asset_key(crm, f"{RAW}.{resource}")),
            )
        )
    return schedules


def _read_only(asset: dg.AssetKey, _: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(asset_selection=[asset])


def build_maintenance(crm: Crm) -> dg.Definitions:
    """The asset that maintains a CRM's lake, its job, and the job's schedule."""
    asset = build_lake_maintenance(crm)
    job = dg.define_asset_job(
        crm.named("lake_maintenance"),
        selection=[asset],
        description="Merges the lake's small files and expires old snapshots.",
        config=dg.RunConfig(loggers={CONSOLE: {}}),
    )
    nightly = schedule(
        crm.named("lake_maintenance_schedule"),
        job,
        "30 4 * * *",
        "Every night, after the full read: merges small files, expires old snapshots.",
        # Each load adds files, so a lake without maintenance becomes slower and slower.
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(assets=[asset], jobs=[job], schedules=[nightly])


MISSED_READS = 3
"""A raw table is late after this many missed reads of its schedule."""

A_NIGHT = timedelta(hours=26)
"""From one nightly job to the end of the next, which alone materializes models without changed inputs."""


def kept_fresh(spec: dg.AssetSpec, cadences: Mapping[str, timedelta]) -> dg.AssetSpec:
    """The spec of an asset with its freshness policy: a warning after two thirds of the allowed age.

    That of raw tables depends on their schedule, that of others on their inputs.

    Args:
        spec: The spec.
        cadences: Resource -> the time between two scheduled reads.
    """
    *_, layer, table = spec.key.path
    allowed = MISSED_READS * cadences[table] if layer == RAW else A_NIGHT + MISSED_READS * max(cadences.values())
    policy = dg.FreshnessPolicy.time_window(fail_window=allowed, warn_window=allowed * 2 / 3)
    return spec.replace_attributes(freshness_policy=policy)
