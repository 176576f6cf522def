"""The undocumented parts of Dagster and dagster-dlt that the project uses.

`test_contracts.py` fails when an upgrade changes one of them.

- `FailuresOnly`: Dagster asks an op's retry policy for a delay inside the `except` block of the error that ended the
  attempt, or of the interrupt.
- `dlt_specs`: `build_dlt_asset_specs` accepts None as the pipeline if the translator does not use one.
- `InputsChanged`: a materialization's tags tell its data version, the code version and those of what it was built from;
  an automation context has the instance.
- `delete_runs`: the tables of events and of checks' results. `DagsterInstance.delete_run` keeps the results and, in
  SQLite, an emptied file for each run.
- `delete_evaluations`: where a sensor's evaluations are stored. Dagster keeps those of automation sensors for 30 days,
  and the logs of all sensors for ever.
"""

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import cast

from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetSpec,
    AutomationCondition,
    AutomationContext,
    AutomationResult,
    DagsterInstance,
    RetryPolicy,
)
from dagster._core.definitions.data_version import CODE_VERSION_TAG, DATA_VERSION_TAG, get_input_data_version_tag
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster_dlt import DagsterDltTranslator, build_dlt_asset_specs
from dlt.extract import DltSource


class FailuresOnly(RetryPolicy):
    """A retry policy that retries failures, but not interrupts.

    Dagster asks an op's policy for a delay after an interrupt, too. Its in-process executor would then continue a run
    that was cancelled.
    """

    def calculate_delay(self, attempt_num: int) -> float:
        """Seconds before the next attempt.

        Raises:
            BaseException: The interrupt, if one ended the attempt.
        """
        ended_by = sys.exc_info()[1]
        if ended_by is not None and not isinstance(ended_by, Exception):
            raise ended_by
        return float(super().calculate_delay(attempt_num))


class InputsChanged(AutomationCondition[AssetKey]):
    """True for an asset that was never built, or whose code or inputs have another version than when it was built.

    Unlike `data_version_changed`, which tells a change since the last look, it does not forget what was not acted upon.
    """

    def evaluate(self, context: AutomationContext[AssetKey]) -> AutomationResult[AssetKey]:
        """All of the asset, or nothing of it."""
        instance = context.asset_graph_view.instance
        asset = context.asset_graph.get(context.key)
        built = _version_tags(instance, context.key)
        inputs = {get_input_data_version_tag(key): _version_tags(instance, key) for key in asset.parent_keys}
        same_code = asset.code_version in {None, built.get(CODE_VERSION_TAG)}
        same_inputs = all(built.get(tag) == parent.get(DATA_VERSION_TAG) for tag, parent in inputs.items())
        as_built = DATA_VERSION_TAG in built and same_code and same_inputs
        return AutomationResult(context, context.get_empty_subset() if as_built else context.candidate_subset)


def _version_tags(instance: DagsterInstance, key: AssetKey) -> Mapping[str, str]:
    event = instance.get_latest_materialization_event(key)
    materialization = event.asset_materialization if event else None
    return materialization.tags or {} if materialization else {}


def dlt_specs(source: DltSource, translator: DagsterDltTranslator) -> Iterator[AssetSpec]:
    """The asset spec of each resource of a source, without the metadata that only `@dlt_assets` needs.

    It needs no pipeline: creating one while definitions load would write to the disk.
    """
    for spec in build_dlt_asset_specs(source, None, translator):  # type: ignore[arg-type]
        metadata = {key: value for key, value in spec.metadata.items() if key.startswith("dagster/")}
        yield spec.replace_attributes(metadata=metadata)


def latest_check_runs(instance: DagsterInstance, checks: Iterable[AssetCheckKey]) -> Mapping[AssetCheckKey, str]:
    """Check -> the id of the run that evaluated it last, or was asked to."""
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks))
    return {check: record.run_id for check, record in records.items()}


def delete_runs(instance: DagsterInstance, run_ids: Collection[str]) -> None:
    """Deletes runs, and all that was stored about them: events, results of checks, logs.

    A run itself goes last: if the process is killed, the next call finds it again.
    """
    events = cast(SqlEventLogStorage, instance.event_log_storage)
    checks = AssetCheckExecutionsTable
    with events.index_connection() as connection:
        connection.execute(checks.delete().where(checks.c.run_id.in_(run_ids)))
        for run_id in run_ids:
            events.delete_events_for_run(connection, run_id)
    for run_id in run_ids:
        if isinstance(events, SqliteEventLogStorage):
            for ending in ("", "-wal", "-shm"):
                Path(events.path_for_shard(run_id) + ending).unlink(missing_ok=True)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.run_storage.delete_run(run_id)


def delete_evaluations(instance: DagsterInstance, repository: str | None, before: datetime) -> None:
    """Deletes what automation sensors noted before a time, and the logs of a repository's schedules and sensors."""
    if instance.schedule_storage:
        instance.schedule_storage.purge_asset_evaluations(before.timestamp())
    for log in Path(instance.storage_directory()).glob(f"{repository}/*/*"):
        if log.stat().st_mtime < before.timestamp():
            log.unlink()
