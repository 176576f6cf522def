"""The sensors of a CRM: one builds what has changed inputs, one publishes after failed runs.

They need Dagster's daemon, which `dagster dev` includes. Automation conditions could do the first, but Dagster stores
each of their evaluations: docs/decisions.md has the figures.
"""

import json
from collections.abc import Collection, Mapping
from graphlib import TopologicalSorter

import dagster as dg

from crm_assets.automation.jobs import AssetJob
from crm_assets.automation.retention import ENDED
from crm_assets.dagster_internals import is_built_from
from crm_assets.settings import Crm


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
        return dg.RunRequest(run_key=run.run_id) if made else dg.SkipReason("The run materialized nothing")

    return publish_after_failed_runs


UNFINISHED = [status for status in dg.DagsterRunStatus if status not in ENDED]


def build_model_sensor(
    crm: Crm, build: AssetJob, raw: Collection[dg.AssetsDefinition], built: Collection[dg.AssetsDefinition]
) -> dg.SensorDefinition:
    """The sensor of a CRM. `build`: the job that builds, of which a run builds some; `built`: all of its assets."""
    loaded = frozenset(key for asset in raw for key in asset.keys)
    specs = {spec.key: spec for asset in built for spec in asset.specs}

    @dg.sensor(
        name=crm.named("build_what_changed"),
        job=build,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Builds models and the report once when their inputs have changed, unless a run is building them.",
    )
    def build_what_changed(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        tried = json.loads(context.cursor or "{}")
        wanted = find_changed(context.instance, specs, loaded, tried)
        context.update_cursor(json.dumps(tried))
        if not wanted:
            return dg.SkipReason("No inputs have changed")
        return dg.RunRequest(asset_selection=wanted)

    return build_what_changed


def find_changed(
    instance: dg.DagsterInstance,
    specs: Mapping[dg.AssetKey, dg.AssetSpec],
    loaded: Collection[dg.AssetKey],
    tried: dict[str, str],
) -> list[dg.AssetKey]:
    """The assets to build now, in an order in which they can be built.

    An asset is built if its code or its inputs have other versions than when it was built, or if an input is built. It
    waits until all of its inputs exist, and while a run is loading or building any asset that it depends on.

    Args:
        instance: Dagster's instance.
        specs: All assets that are built.
        loaded: The raw assets. Seeds, which have no inputs, are built once one of them exists.
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
    parents = {key: frozenset(dep.asset_key for dep in spec.deps) for key, spec in specs.items()}
    wanted = list[dg.AssetKey]()
    for key in TopologicalSorter(parents).static_order():
        if key not in specs:
            continue
        if not busy.isdisjoint({key, *parents[key]}):
            busy.add(key)  # so that whatever depends on it waits as well
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
