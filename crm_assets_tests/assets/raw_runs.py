"""Materializes raw assets in this process, and inspects what a run stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    Definitions,
    ExecuteInProcessResult,
    JobDefinition,
)

from crm_assets.__main__ import main
from crm_assets.api import ENDPOINTS
from crm_assets.definitions import defs
from crm_assets.privacy.applying import rebuild
from crm_assets.runner.loading import load_models
from crm_assets_tests.data_dirs import connected


@dataclass(frozen=True)
class Run:
    """A run that has ended."""

    result: ExecuteInProcessResult

    @property
    def success(self) -> bool:
        """Whether every asset was materialized."""
        return self.result.success

    def metadata(self, resource: str) -> dict[str, Any]:
        """What the materialization of a raw asset carries."""
        [made] = self.result.asset_materializations_for_node(f"raw__{resource}")
        return {name: value.value for name, value in made.metadata.items()}

    @property
    def materialized(self) -> set[str]:
        """Resources whose raw asset was materialized."""
        return {event.asset_key.path[-1] for event in self.result.get_asset_materialization_events() if event.asset_key}

    def attempts(self, resource: str) -> int:
        """How often the op was started."""
        kinds = {DagsterEventType.STEP_START, DagsterEventType.STEP_RESTARTED}
        return sum(
            event.event_type in kinds and event.step_key == f"raw__{resource}" for event in self.result.all_events
        )

    def failure(self, resource: str) -> str:
        """What the user sees of a failed op."""
        failed = self.result.failure_data_for_node(f"raw__{resource}")
        assert failed is not None
        assert failed.user_failure_data is not None, failed.error
        return failed.user_failure_data.description or ""

    def check(self, name: str) -> AssetCheckEvaluation:
        """What a check has found, of the one asset that was read."""
        [found] = [found for found in self.result.get_asset_check_evaluations() if found.check_name == name]
        return found

    @property
    def everything_shown(self) -> str:
        """All events with all they hold, as text."""
        return "\n".join(map(repr, self.result.all_events))


def materialize(*resources: str, mode: str | None = None, instance: DagsterInstance | None = None) -> Run:
    """Materializes the raw assets of some resources, or of all."""
    resources = resources or tuple(ENDPOINTS)
    config: Mapping[str, Any] = (
        {"ops": {f"raw__{resource}": {"config": {"mode": mode}} for resource in resources}} if mode else {}
    )
    run = _job(resources).execute_in_process(run_config=config, instance=instance or _instance(), raise_on_error=False)
    return Run(run)


@cache
def _job(resources: tuple[str, ...]) -> JobDefinition:
    """A job of some raw assets and nothing else: a selection from the job of all assets takes longer than a read."""
    assets = [defs.resolve_assets_def(AssetKey(["raw", resource])) for resource in resources]
    return Definitions(assets=assets).resolve_implicit_global_asset_job_def()


def apply_policy(*arguments: str) -> None:
    """Gives stored data the configured policy of personal data, as a user does."""
    assert main(["apply-policy", "--yes", *arguments]) == 0


def forget(resource: str, *ids: str) -> int:
    """Forgets records, as a user does: the command's exit code."""
    return main(["forget", resource, *ids, "--yes"])


def build_models() -> None:
    """Builds all models, as a change of stored values does."""
    models = load_models()
    with connected(read_only=False) as connection:
        rebuild(connection, models, [model.address for model in models], print)


@cache
def _instance() -> DagsterInstance:
    """One for all runs of this process: each would take as long to set up as a run takes."""
    return DagsterInstance.ephemeral()


def rows(sql: str, database: Path | None = None) -> list[tuple[Any, ...]]:
    """What a query gives, in a session in UTC; of the data directory's warehouse, unless another is given."""
    with connected(database) as connection:
        return connection.execute(sql).fetchall()


def columns(resource: str, database: Path | None = None) -> dict[str, str]:
    """Column name -> DuckDB type of a raw table."""
    return {name: type_ for name, type_, *_ in rows(f"describe raw.{resource}", database)}


def messages(capfd: pytest.CaptureFixture[str], resource: str = "accounts") -> str:
    """The run's log of an incremental read."""
    capfd.readouterr()
    materialize(resource, mode="incremental")
    return capfd.readouterr().err
