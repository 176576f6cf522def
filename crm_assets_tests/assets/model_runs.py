"""Runs of models that are written for a test, and what users see of them."""

from collections.abc import Mapping
from typing import Any

from dagster import AssetCheckEvaluation, AssetKey, AssetSelection, DagsterInstance, ExecuteInProcessResult, materialize

from crm_assets.assets.model_checks import build_model_checks
from crm_assets.assets.models import build_model_assets
from crm_assets.settings import Crm
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.runner.model_project import ModelProject

SALES = AssetKey(["marts", "sales"])


def execute(sql: str) -> list[tuple[Any, ...]]:
    """A statement's rows."""
    with Warehouse().get_connection() as connection:
        return connection.execute(sql).fetchall()


def run(
    project: ModelProject,
    launchpad: Mapping[str, Any] | None = None,
    instance: DagsterInstance | None = None,
    selection: AssetSelection | None = None,
) -> ExecuteInProcessResult:
    """Materializes all models of a project with their checks."""
    models = list(project.models().values())
    return materialize(
        [*build_model_assets(Crm(), models), *build_model_checks(Crm(), models)],
        resources={"crm_warehouse": Warehouse()},
        run_config={"ops": dict(launchpad or {})},
        instance=instance or DagsterInstance.ephemeral(),
        selection=selection,
        raise_on_error=False,
    )


def checks(result: ExecuteInProcessResult) -> dict[str, AssetCheckEvaluation]:
    """What was checked, by name."""
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def failure(result: ExecuteInProcessResult) -> str:
    """What the user sees of the one step that failed."""
    [event] = [event for event in result.all_events if event.is_step_failure]
    failure = event.step_failure_data.user_failure_data
    assert failure is not None, event.step_failure_data.error
    return failure.description or ""
