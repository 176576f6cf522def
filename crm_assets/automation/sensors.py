"""Sensors: two of each CRM, which build what has changed inputs and publish after failed runs; one deletes old runs.

They need Dagster's daemon, which `dagster dev` includes. Automation conditions could do the first, but Dagster stores
each of their evaluations: docs/decisions.md has the figures.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from graphlib import TopologicalSorter
from hashlib import sha256

import dagster as dg

from crm_assets.alerts.outcomes import is_error
from crm_assets.automation.jobs import AssetJob
from crm_assets.dagster_internals import delete_run, is_built_from, latest_evaluations
from crm_assets.errors import counted
from crm_assets.settings import Crm, find, setting_name
from crm_assets.settings.finding import alone


def build_publishing_sensor(crm: Crm, publish: AssetJob, assets: Collection[dg.AssetKey]) -> dg.SensorDefinition:
    """The sensor that publishes a CRM's tables after failed runs.

    Args:
        crm: The CRM.
        publish: The job that publishes its tables.
        assets: The keys of its assets.
    """

    @dg.run_failure_sensor(
        name=crm.named("publish_after_failed_runs"),
        request_job=publish,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Publishes the tables after a run with a failed asset, in which Dagster skips that step.",
    )
    def publish_after_failed_runs(context: dg.RunFailureSensorContext) -> dg.RunRequest | dg.SkipReason:
        """Otherwise one list that the API refuses would keep readers from ever seeing new data."""
        run = context.dagster_run
        if run.job_name == publish.name:
            return dg.SkipReason("The publishing itself failed")
        logs = context.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        made = any(log.get_dagster_event().asset_key in assets for log in logs)
        if not made:
            return dg.SkipReason("The run materialized nothing")
        # After a pause of the daemon, one publishing is enough for all runs that have failed meanwhile. The key is of
        # all of them and not of the latest one: a machine's clock may have been ahead, and be the latest for days.
        failed = context.instance.get_run_ids(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]), limit=AT_A_TIME)
        return dg.RunRequest(run_key=sha256("".join(failed).encode()).hexdigest())

    return publish_after_failed_runs


ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
UNFINISHED = [status for status in dg.DagsterRunStatus if status not in ENDED]


Assets = Collection[dg.AssetsDefinition]


def build_model_sensor(
    crm: Crm, build: AssetJob, raw: Assets, built: Assets, cross_checks: Assets
) -> dg.SensorDefinition:
    """The sensor of a CRM. `build`: the job that builds, of which a run builds some; `built`: all of its assets."""
    loaded = frozenset(key for asset in raw for key in asset.keys)
    specs = {spec.key: spec for asset in built for spec in asset.specs}
    blocking = [spec.key for asset in (*raw, *cross_checks) for spec in asset.check_specs if spec.blocking]

    @dg.sensor(
        name=crm.named("build_what_changed"),
        job=build,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Builds models and the report once when their inputs have changed, unless a run is building them.",
    )
    def build_what_changed(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        tried = json.loads(context.cursor or "{}")
        wanted = find_changed(context.instance, specs, loaded, blocking, tried)
        context.update_cursor(json.dumps(tried))
        return dg.RunRequest(asset_selection=wanted) if wanted else dg.SkipReason("No inputs have changed")

    return build_what_changed


def find_changed(
    instance: dg.DagsterInstance,
    specs: Mapping[dg.AssetKey, dg.AssetSpec],
    loaded: Collection[dg.AssetKey],
    blocking: Collection[dg.AssetCheckKey],
    tried: dict[str, str],
) -> list[dg.AssetKey]:
    """The assets to build now, in an order in which they can be built.

    An asset is built if its code or its inputs have other versions than when it was built, or if an input is built. It
    waits until all of its inputs exist, and while a run is loading or building any asset that it depends on. A model
    also waits while a blocking check of such an asset fails; the report and the published copy show what there is.

    Args:
        instance: Dagster's instance.
        specs: All assets that are built.
        loaded: The raw assets. Seeds, which have no inputs, are built once one of them exists.
        blocking: The checks that keep models from being built.
        tried: Asset -> what it was to be built from when it was asked for last, unless that has succeeded: it is asked
            for again after the next update of an input. Changed in place.
    """
    records = instance.get_asset_records([*specs, *loaded])
    entries = {record.asset_entry.asset_key: record.asset_entry for record in records}
    made = {key: entry.last_materialization for key, entry in entries.items() if entry.last_materialization}
    unfinished = {run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))}
    busy = {
        key
        for key, entry in entries.items()
        if entry.last_run_id in unfinished and (key not in made or made[key].run_id != entry.last_run_id)
    }
    results = latest_evaluations(instance, blocking).items()
    refused = {check.asset_key for check, (result, _) in results if is_error(result)}
    parents = {key: frozenset(dep.asset_key for dep in spec.deps) for key, spec in specs.items()}
    wanted = list[dg.AssetKey]()
    for key in TopologicalSorter(parents).static_order():
        if key not in specs:
            continue
        if not busy.isdisjoint({key, *parents[key]}):
            busy.add(key)  # so that whatever depends on it waits as well
            continue
        if specs[key].code_version and not refused.isdisjoint(parents[key]):
            refused.add(key)
            continue
        sources = parents[key] or loaded
        inputs = {source: made[source] for source in sources if source in made}
        if not (parents[key] <= made.keys() | set(wanted) and (parents[key] or inputs)):
            continue
        name, code = key.to_user_string(), specs[key].code_version
        state = f"{code} {max((event.timestamp for event in inputs.values()), default=0)}"
        with_inputs = not parents[key].isdisjoint(wanted)
        if not with_inputs and is_built_from(made.get(key), code, inputs if parents[key] else {}):
            tried.pop(name, None)
        elif with_inputs or tried.get(name) != state:
            wanted.append(key)
            tried[name] = state
    return wanted


AT_A_TIME = 100
"""Runs deleted per tick: it ends long before Dagster's limit of a minute, and other processes never wait for it."""


@dg.sensor(
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Deletes runs older than `CRM_KEEP_RUNS_DAYS`, except those that have the current state of an asset.",
)
def delete_old_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Deletes a hundred runs at most, and says how many."""
    days, wrong = alone(find(), "keep_runs_days")
    if wrong:  # somebody may want to keep runs for longer than the default
        return dg.SkipReason(f"No run is deleted. {wrong}")
    if not days:
        return dg.SkipReason(f"{setting_name('keep_runs_days')} is 0: all runs are kept")
    checks = context.repository_def.asset_graph.asset_check_keys if context.repository_def else set()
    deleted = delete_runs_before(context.instance, datetime.now(timezone.utc) - timedelta(days=days), checks)
    return dg.SkipReason(f"Deleted {counted(deleted, 'run')} older than {counted(days, 'day')}")


def delete_runs_before(instance: dg.DagsterInstance, before: datetime, checks: Iterable[dg.AssetCheckKey]) -> int:
    """Deletes up to `AT_A_TIME` of the oldest runs that have ended, and returns how many it deleted.

    Runs of an asset's latest materialization or of a check's latest evaluation are kept, however old.

    Args:
        instance: Dagster's instance.
        before: Only runs created before this time are deleted.
        checks: All asset checks.
    """
    kept = _latest_runs(instance) | {run_id for _, run_id in latest_evaluations(instance, checks).values()}
    records = instance.get_run_records(
        dg.RunsFilter(statuses=ENDED, created_before=before), limit=AT_A_TIME + len(kept), ascending=True
    )
    old = [record.dagster_run.run_id for record in records if record.dagster_run.run_id not in kept][:AT_A_TIME]
    for run_id in old:
        delete_run(instance, run_id)
    return len(old)


def _latest_runs(instance: dg.DagsterInstance) -> set[str]:
    """The runs that last materialized an asset, or were last asked to."""
    entries = [record.asset_entry for record in instance.get_asset_records()]
    made = {entry.last_materialization.run_id for entry in entries if entry.last_materialization}
    return made | {entry.last_run_id for entry in entries if entry.last_run_id}
