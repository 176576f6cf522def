"""The undocumented parts of Dagster that the project uses.

`crm_assets_tests/contracts/` fails when an upgrade changes one of them.

- `FailuresOnly`: Dagster asks an op's retry policy for a delay inside the `except` block of the error that ended the
  attempt, or of the interrupt.
- `is_built_from`: a materialization's tags have its data version, and `DataProvenance` reads the others from them.
- `delete_run`: where the results of checks and, in SQLite, the events of a run are stored. `DagsterInstance.delete_run`
  keeps the results, 10 KB of a read, an emptied file of 200 KB for each run, and its logs.
- `latest_evaluations`: the latest execution of several checks, in one query.
- `process_ended`: such a step is one that failed, with an error of a class of Dagster's.
- `run_named`: the origin of a run, without which the UI's timeline and the pages of jobs leave it out. Only runs that
  are launched through a server have one.
"""

import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from uuid import uuid4

from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetKey,
    DagsterEvent,
    DagsterExecutionInterruptedError,
    DagsterInstance,
    DagsterRunStatus,
    DataProvenance,
    EventLogEntry,
    RetryPolicy,
)
from dagster._core.definitions.assets.job.asset_job import IMPLICIT_ASSET_JOB_NAME
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from crm_assets.errors import SettingsError

WITHOUT_JOB = IMPLICIT_ASSET_JOB_NAME
"""The name of the job that materializes assets which a user has chosen."""


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


def is_built_from(
    made: EventLogEntry | None, code_version: str | None, inputs: Mapping[AssetKey, EventLogEntry]
) -> bool:
    """Whether an asset was built from the current versions of its code and its inputs.

    Args:
        made: Its last materialization.
        code_version: The version of its code now; None if it has none.
        inputs: Input -> its last materialization.
    """
    built = DataProvenance.from_tags(_version_tags(made))
    if not built or code_version not in {None, built.code_version}:
        return False
    versions_then = {key: version.value for key, version in built.input_data_versions.items()}
    versions_now = {key: _version_tags(event).get(DATA_VERSION_TAG) for key, event in inputs.items()}
    return versions_now.items() <= versions_then.items()


def _version_tags(event: EventLogEntry | None) -> Mapping[str, str]:
    materialization = event.asset_materialization if event else None
    return materialization.tags or {} if materialization else {}


def latest_evaluations(
    instance: DagsterInstance, checks: Iterable[AssetCheckKey]
) -> Mapping[AssetCheckKey, tuple[AssetCheckEvaluation, str]]:
    """The latest result of each check that was evaluated, and the id of its run."""
    storage, found = instance.event_log_storage, {}
    for check, latest in storage.get_latest_asset_check_execution_by_key(list(checks)).items():
        # The latest executions may only be planned, for this run or for ones that ended before them.
        planned = not (latest.event and latest.event.asset_check_evaluation)
        for record in storage.get_asset_check_execution_history(check, limit=20) if planned else [latest]:
            if result := record.event and record.event.asset_check_evaluation:
                found[check] = (result, record.run_id)
                break
    return found


def delete_run(instance: DagsterInstance, run_id: str) -> None:
    """Deletes a run, and all that was stored about it: events, results of checks, logs."""
    # Imported here: SQLAlchemy and alembic take 0.2 s of each start, and a code location needs neither.
    from dagster._core.storage.event_log import SqliteEventLogStorage
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

    events: Any = instance.event_log_storage
    checks = AssetCheckExecutionsTable
    with events.index_connection() as connection:
        connection.execute(checks.delete().where(checks.c.run_id == run_id))
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.delete_run(run_id)
    if isinstance(events, SqliteEventLogStorage):
        for ending in ("", "-wal", "-shm"):
            Path(events.path_for_shard(run_id) + ending).unlink(missing_ok=True)


def was_interrupted(event: DagsterEvent) -> bool:
    """Whether a step or a run failed only since it was interrupted, with Ctrl-C or *Terminate*, or by the machine."""
    return _error_class(event) in {DagsterExecutionInterruptedError.__name__, KeyboardInterrupt.__name__}


def process_ended(event: DagsterEvent) -> bool:
    """Whether a step failed since its process was killed or crashed."""
    return _error_class(event) in {"", "ChildProcessCrashException"}


def _error_class(event: DagsterEvent) -> str:
    """The name of the class with which the text of an event's error begins; empty without an error."""
    error = getattr(event.event_specific_data, "error", None)
    return error.to_string().partition("\n")[0].partition(":")[0].rpartition(".")[2] if error else ""


def run_named(instance: DagsterInstance, name: str, logger: str) -> bool:
    """Runs a job or an asset of the code location in this process, as `workspace.yaml` names it.

    Args:
        instance: Dagster's instance.
        name: A job, such as `crm_full_refresh`, or an asset, such as `raw/accounts` or `raw.accounts`.
        logger: The logger of an asset's run. Jobs name theirs.

    Returns:
        Whether the run succeeded.

    Raises:
        SettingsError: There is no such job or asset.
        KeyboardInterrupt: The run was interrupted.
    """
    target = LoadableTargetOrigin(module_name="crm_assets.definitions", working_directory=str(Path.cwd()))
    location = ManagedGrpcPythonEnvCodeLocationOrigin(target, "crm_assets")
    repository = ReconstructableRepository.for_module("crm_assets.definitions", "defs", str(Path.cwd()))
    definition = repository.get_definition()
    jobs = [job for job in sorted(definition.job_names) if not job.startswith("__")]
    known = definition.asset_graph.materializable_asset_keys
    assets = {AssetKey.from_user_string(name.replace(".", "/"))} & known
    if name not in jobs and not assets:
        alike = get_close_matches(name, [*jobs, *map(AssetKey.to_user_string, known)])
        meant = f"Did you mean {' or '.join(alike)}? " if alike else ""
        raise SettingsError(f"There is no job and no asset {name!r}. {meant}Name an asset, or one of {', '.join(jobs)}")
    job = repository.get_reconstructable_job(WITHOUT_JOB if assets else name)
    job = job.get_subset(asset_selection=assets or None)
    run_id = str(uuid4())
    try:
        run = instance.create_run_for_job(
            job.get_definition(),
            run_id=run_id,
            run_config={"loggers": {logger: {}}} if assets else None,
            asset_selection=frozenset(assets) or None,
            remote_job_origin=RemoteRepositoryOrigin(location, definition.name).get_job_origin(job.job_name),
            job_code_origin=job.get_python_origin(),
        )
        result = execute_run(job, run, instance, raise_on_error=False)
        if any(map(was_interrupted, result.all_events)):
            raise KeyboardInterrupt
        return result.success
    finally:
        created = instance.get_run_by_id(run_id)
        if created and created.status is DagsterRunStatus.NOT_STARTED:  # interrupted: nothing would ever start it
            instance.report_run_canceled(created)
