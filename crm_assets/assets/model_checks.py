"""The data tests of a model as asset checks: their specs and their results."""

from collections.abc import Collection, Iterable

import dagster as dg

from crm_assets.assets.attributes import asset_key
from crm_assets.assets.failures import failures_explained
from crm_assets.masking import masked
from crm_assets.runner.data_tests import DataTest
from crm_assets.runner.model import BOOKKEEPING, DBT_COLUMNS, Model, asset_behind
from crm_assets.runner.test_runs import Outcome, run_test
from crm_assets.runner.variables import report_in
from crm_assets.settings import Crm, resolve_settings
from crm_assets.warehouse.warehouse import Warehouse

COLUMNS_DOCUMENTED = "columns_documented"
"""The check that the YAML describes exactly the table's columns. It needs the built table."""


def check_specs(crm: Crm, model: Model) -> list[dg.AssetCheckSpec]:
    """The checks that the model's op runs right after the build. It fails if one of severity error does."""
    key = asset_key(crm, model.address)
    specs = [dg.AssetCheckSpec(test.name, asset=key, description=test.description) for test in model.own_tests]
    if model.columns:
        description = "The YAML describes the columns that the table has, and no others."
        specs.append(dg.AssetCheckSpec(COLUMNS_DOCUMENTED, asset=key, description=description))
    return specs


def build_model_checks(
    crm: Crm, models: Iterable[Model], missing: Collection[str] = ()
) -> list[dg.AssetChecksDefinition]:
    """A separate check for each data test that compares with a table that its model does not read.

    A check in the model's own op could run before the other table is built. Tests that compare with one of the
    `missing` addresses are left out.
    """
    return [
        _cross_check(crm, model, test)
        for model in models
        for test in model.cross_tests
        if not any(asset_behind(address) in missing for address in test.reads)
    ]


def _cross_check(crm: Crm, model: Model, test: DataTest) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        name=test.name,
        asset=asset_key(crm, model.address),
        additional_deps=[
            asset_key(crm, address) for address in sorted(set(map(asset_behind, test.reads - BOOKKEEPING)))
        ],
        description=test.description,
        blocking=test.blocks,
    )
    def compare(crm_warehouse: Warehouse) -> dg.AssetCheckResult:
        with failures_explained(model.address, crm):
            settings = resolve_settings(crm)
            with crm_warehouse.of(crm).read_connection() as connection:
                report_in(connection, settings.reporting_timezone, settings.fiscal_year_start)
                return check_result(run_test(connection, model, test))

    return compare


def check_result(outcome: Outcome) -> dg.AssetCheckResult:
    """The result of a data test: the number of failing rows, and the SQL to find them. It holds no value of a row."""
    return dg.AssetCheckResult(
        check_name=outcome.test.name,
        passed=outcome.passed,
        severity=dg.AssetCheckSeverity.ERROR if outcome.severity == "error" else dg.AssetCheckSeverity.WARN,
        description=masked(outcome.found),
        metadata={"failing": outcome.failing, "sql": dg.MetadataValue.md(masked(f"```sql\n{outcome.sql}\n```"))},
    )


def columns_result(model: Model, produced: Collection[str]) -> dg.AssetCheckResult:
    """Whether the model's documentation has exactly the columns that it produces."""
    undocumented = [column for column in produced if column not in {*model.columns, *DBT_COLUMNS}]
    missing = [column for column in model.columns if column not in produced]
    advice = [
        f"describe {', '.join(undocumented)} in {model.properties_path}" if undocumented else "",
        f"remove {', '.join(missing)} from {model.properties_path}: the table has no such column" if missing else "",
    ]
    return dg.AssetCheckResult(
        check_name=COLUMNS_DOCUMENTED,
        passed=not undocumented and not missing,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(filter(None, advice)) or "all columns are described",
    )
