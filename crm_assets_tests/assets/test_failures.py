"""Whatever is raised within an asset or a check becomes a failure that is safe to show and retried only if it helps."""

import errno
from collections.abc import Callable, Collection
from functools import cache
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import duckdb
import psycopg
import pytest
import requests
from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetSelection,
    DagsterEventType,
    DagsterInstance,
    DagsterInvariantViolationError,
    Definitions,
    ExecuteInProcessResult,
    JobDefinition,
    define_asset_job,
)

from crm_assets import errors
from crm_assets.assets.model_checks import build_model_checks
from crm_assets.automation.jobs import build_maintenance
from crm_assets.connection import CrmConnection
from crm_assets.definitions import defs
from crm_assets.probing.check import CrmFindings
from crm_assets.runner.model import Model
from crm_assets.settings import DEFAULT_CRM, Crm, CrmSettings
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.model_runs import failure
from crm_assets_tests.runner.model_project import ModelProject
from crm_assets_tests.test_errors import classes

PERSON = "Confidential Person"


class FailingWarehouse(Warehouse):
    """A warehouse that cannot be used."""

    error: ClassVar[Exception]

    def of(self, crm: Crm) -> "Warehouse":
        """Itself."""
        return self

    @property
    def _backend(self) -> Any:
        raise self.error


class FailingCrm(CrmConnection):
    """A CRM that cannot be read."""

    error: ClassVar[Exception]

    def settings(self, crm: Crm = DEFAULT_CRM) -> CrmSettings:
        """Raises the error."""
        raise self.error

    def check(self, announce: Callable[[str], object], crm: Crm = DEFAULT_CRM) -> CrmFindings:
        """Raises the error."""
        raise self.error


SHOWN: dict[str, tuple[Exception, bool]] = {
    **{error.__name__: (error("What to do"), error.may_recover) for error in classes()},
    "unreachable for a while": (errors.WarehouseUnreachable("What to do", may_recover=True), True),
    "a full disk": (OSError(errno.ENOSPC, "No space left on device", "What to do"), False),
    "a file that may not be read": (PermissionError(errno.EACCES, "Permission denied", "What to do"), False),
    "an unreadable database": (duckdb.IOException("IO Error: What to do"), False),
    "a column that does not exist": (duckdb.BinderException("Binder Error: What to do"), False),
    "a table that does not exist": (duckdb.CatalogException("Catalog Error: What to do"), False),
    "no SQL": (duckdb.ParserException("Parser Error: What to do"), False),
}
"""Errors whose message is shown -> whether they are retried."""

HIDDEN: dict[str, Exception] = {
    "duckdb conversion": duckdb.ConversionException(PERSON),
    "duckdb evaluated constant": duckdb.BinderException(f"Binder Error: Could not convert string '{PERSON}'"),
    "duckdb constraint": duckdb.ConstraintException(PERSON),
    "duckdb internal": duckdb.InternalException(PERSON),
    "requests": requests.ConnectionError(PERSON),
    "requests invalid URL": requests.exceptions.InvalidURL(PERSON),
    "psycopg": psycopg.OperationalError(PERSON),
    "psycopg data": psycopg.DataError(PERSON),
    "a dropped connection": ConnectionResetError(errno.ECONNRESET, PERSON),
    "no errno": OSError(PERSON),
    "dagster": DagsterInvariantViolationError(PERSON),
    "a bug": KeyError(PERSON),
}
"""Errors whose message may hold records."""


def _compared_models() -> Collection[Model]:
    """Two models, of which one is compared with the other without reading it."""
    with TemporaryDirectory() as folder:
        project = ModelProject(Path(folder) / "models")
        project.write("marts/a.sql", "select 1 as id")
        project.write("marts/b.sql", "select 1 as id")
        known = "relationships: {arguments: {to: ref('b'), field: id}}"
        project.write("marts/marts.yml", f"models: [{{name: a, columns: [{{name: id, data_tests: [{known}]}}]}}]")
        return project.models().values()


_ASSETS = {
    "raw": "raw/accounts",
    "view": "staging/stg_accounts",
    "table": "marts/account_overview",
    "seed": "seeds/sandbox_targets",
    "snapshot": "snapshots/accounts_history",
    "published": "published/database",
    "report": "reports/sales_review",
    "maintenance": "lake/maintenance",
}
KINDS = (*_ASSETS, "raw checks", "model check", "crm check")


@cache
def _jobs() -> dict[str, JobDefinition]:
    """Kind of asset or check -> a job that runs one."""
    [comparison] = build_model_checks(DEFAULT_CRM, _compared_models())
    selections = {kind: AssetSelection.assets(asset.split("/")) for kind, asset in _ASSETS.items()} | {
        "raw checks": AssetSelection.checks(AssetCheckKey(AssetKey(["raw", "accounts"]), "primary_key")),
        "model check": AssetSelection.checks(comparison),
    }
    names = {kind: kind.replace(" ", "_") for kind in selections}
    definitions = Definitions(
        assets=[*(defs.assets or ()), *(build_maintenance(DEFAULT_CRM).assets or ())],
        asset_checks=[comparison],
        jobs=[define_asset_job(names[kind], selection) for kind, selection in selections.items()],
        resources=defs.resources,
    )
    jobs = {kind: definitions.resolve_job_def(name) for kind, name in names.items()}
    return {**jobs, "crm check": defs.resolve_job_def("crm_check")}


def run(kind: str, error: Exception) -> ExecuteInProcessResult:
    """Runs one asset or check, in which an error is raised."""
    FailingWarehouse.error = FailingCrm.error = error
    resources = {"crm_connection": FailingCrm(), "crm_warehouse": FailingWarehouse()}
    return _jobs()[kind].execute_in_process(resources=resources, instance=_instance(), raise_on_error=False)


@cache
def _instance() -> DagsterInstance:
    return DagsterInstance.ephemeral()


def is_retried(result: ExecuteInProcessResult) -> bool:
    """Whether a step was tried again."""
    return any(event.event_type is DagsterEventType.STEP_UP_FOR_RETRY for event in result.all_events)


WITHOUT_RETRIES = {"raw checks", "model check", "crm check"}
"""Kinds without a retry policy, or whose job has none."""


def each(errors: Collection[str]) -> list[tuple[str, str]]:
    """Each error in one kind, and each kind with one error."""
    return sorted({*zip(errors, cycle(KINDS), strict=False), *zip(cycle(errors), KINDS, strict=False)})


@pytest.mark.long
@pytest.mark.parametrize(("error", "kind"), each(SHOWN))
def test_an_error_with_advice_is_shown_in_full(error: str, kind: str) -> None:
    raised, may_recover = SHOWN[error]
    result = run(kind, raised)
    assert "What to do" in failure(result)
    if kind not in WITHOUT_RETRIES:
        assert is_retried(result) == may_recover


@pytest.mark.slow
@pytest.mark.parametrize(("error", "kind"), each(HIDDEN))
def test_an_error_that_may_hold_records_is_not_shown(error: str, kind: str) -> None:
    result = run(kind, HIDDEN[error])
    assert f".{type(HIDDEN[error]).__name__} at " in failure(result)
    assert "The tables have not changed" in failure(result)
    assert PERSON not in "\n".join(map(repr, result.all_events))
