"""The tests of a model as asset checks: their specs, and what they found in Dagster's words."""

from collections.abc import Collection, Container, Iterable, Mapping
from typing import Any

import duckdb
from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    MetadataValue,
    asset_check,
)
from sqlglot.errors import SqlglotError

from crm_assets.assets.previews import rows_as_table
from crm_assets.settings import SettingsError, resolve_settings
from crm_assets.sql_models.data_test_runs import Outcome, run_test
from crm_assets.sql_models.data_tests import DataTest
from crm_assets.sql_models.lineage import known_columns
from crm_assets.sql_models.model import BOOKKEEPING, Model, asset_behind
from crm_assets.sql_models.personal import personal_columns
from crm_assets.sql_models.timezone import report_in
from crm_assets.warehouse.lock import WarehouseBusy
from crm_assets.warehouse.warehouse import Warehouse

COLUMNS_DOCUMENTED = "columns_documented"
"""The check that the YAML lists the columns which the table has. Only the table can tell."""


def check_specs(model: Model) -> list[AssetCheckSpec]:
    """The checks that the model's own op makes right after the build."""
    specs = [
        AssetCheckSpec(test.name, asset=asset_key(model.address), description=test.description, blocking=test.blocks)
        for test in model.own_tests
    ]
    if model.columns:
        description = "The YAML describes the columns that the table has, and no others."
        specs.append(AssetCheckSpec(COLUMNS_DOCUMENTED, asset=asset_key(model.address), description=description))
    return specs


def cross_checks(models: Iterable[Model]) -> list[AssetChecksDefinition]:
    """A check of its own for every test that compares with a table which its model does not read.

    Nothing else makes sure that the other table is built by then.
    """
    known = {model.address: model for model in models}
    return [_cross_check(model, test, known) for model in known.values() for test in model.cross_tests]


def _cross_check(model: Model, test: DataTest, known: Mapping[str, Model]) -> AssetChecksDefinition:
    @asset_check(
        name=test.name,
        asset=asset_key(model.address),
        additional_deps=[asset_key(address) for address in sorted(set(map(asset_behind, test.reads - BOOKKEEPING)))],
        description=test.description,
        blocking=test.blocks,
    )
    def compare(warehouse: Warehouse) -> AssetCheckResult:
        try:
            with warehouse.read_connection() as connection:
                report_in(connection, resolve_settings().reporting_timezone)
                return check_result(run_test(connection, model, test), masked_columns(connection, model, known))
        except (WarehouseBusy, SettingsError, FileNotFoundError) as error:
            return check_result(Outcome(test, problem=str(error)))

    return compare


def masked_columns(connection: duckdb.DuckDBPyConnection, model: Model, known: Mapping[str, Model]) -> Collection[str]:
    """The columns of a model that may hold personal data; all of them, where that cannot be told."""
    try:
        return personal_columns(model, known, known_columns(connection))
    except SqlglotError:
        return model.columns.keys()


def asset_key(address: str) -> AssetKey:
    """The key of the asset that has this address: `marts.task_backlog` is `marts/task_backlog`."""
    return AssetKey(address.split("."))


def check_result(outcome: Outcome, personal: Container[str] = ()) -> AssetCheckResult:
    """What a test found: the count, a few rows, and the SQL that finds all of them. Personal columns are masked."""
    metadata: dict[str, Any] = {"failing": outcome.failing, "sql": MetadataValue.md(f"```sql\n{outcome.sql}\n```")}
    if outcome.sample:
        metadata["sample"] = rows_as_table(outcome.columns, outcome.sample, personal)
    return AssetCheckResult(
        check_name=outcome.test.name,
        passed=outcome.passed,
        severity=AssetCheckSeverity.ERROR if outcome.test.blocks else AssetCheckSeverity.WARN,
        description=outcome.found,
        metadata=metadata,
    )


def columns_result(model: Model, produced: Collection[str]) -> AssetCheckResult:
    """Whether the model's documentation has the columns that it produces."""
    undocumented = [column for column in produced if column not in model.columns]
    missing = [column for column in model.columns if column not in produced]
    advice = [
        f"describe {', '.join(undocumented)} in {model.properties_path}" if undocumented else "",
        f"take {', '.join(missing)} out of {model.properties_path}: the table has no such column" if missing else "",
    ]
    return AssetCheckResult(
        check_name=COLUMNS_DOCUMENTED,
        passed=not undocumented and not missing,
        severity=AssetCheckSeverity.WARN,
        description="; ".join(filter(None, advice)) or "all columns are described",
    )
