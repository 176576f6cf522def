"""The data tests of a model as asset checks: their specs and their results."""

from collections.abc import Collection, Iterable, Sequence

import dagster as dg

from crm_assets.assets.attributes import asset_key, result_of
from crm_assets.assets.failures import failures_explained
from crm_assets.masking import masked
from crm_assets.runner.builds import Outcome, run_test, store_failures
from crm_assets.runner.data_tests import DataTest
from crm_assets.runner.model import DBT_COLUMNS, Model, assets_behind
from crm_assets.runner.unchanged import report_in, variables_of
from crm_assets.settings import Crm, resolve_settings
from crm_assets.settings.finding import NOT_FOR_MODELS
from crm_assets.warehouse.warehouse import Warehouse


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
        if assets_behind(test.reads).isdisjoint(missing)
    ]


def _cross_check(crm: Crm, model: Model, test: DataTest) -> dg.AssetChecksDefinition:
    key = asset_key(crm, model.address)

    @dg.asset_check(
        name=test.name,
        asset=key,
        additional_deps=[asset_key(crm, address) for address in sorted(assets_behind(test.reads))],
        description=test.description,
        blocking=test.blocks,
    )
    def compare(crm_warehouse: Warehouse) -> dg.AssetCheckResult:
        with failures_explained(model.address, crm):
            [found] = tested(crm, model, [test], crm_warehouse)
            return result_of(found)

    return compare


def tested(
    crm: Crm, model: Model, tests: Collection[DataTest], warehouse: Warehouse
) -> Sequence[dg.AssetCheckEvaluation]:
    """Runs data tests on a model's table or view as it is, and stores failing rows of those that say so."""
    settings, stores = resolve_settings(crm, NOT_FOR_MODELS), any(test.config.get("store_failures") for test in tests)
    with warehouse.of(crm).get_connection(read_only=not stores) as connection:
        report_in(connection, settings.reporting_timezone, settings.fiscal_year_start)
        outcomes = [run_test(connection, model, test, variables_of(connection)) for test in tests]
        store_failures(connection, model, outcomes)
    return [evaluation(asset_key(crm, model.address), outcome) for outcome in outcomes]


def evaluation(model_key: dg.AssetKey, outcome: Outcome) -> dg.AssetCheckEvaluation:
    """The result of a data test: the number of failing rows, and the SQL to find them. It holds no value of a row."""
    return dg.AssetCheckEvaluation(
        model_key,
        outcome.test.name,
        outcome.passed,
        {"failing": outcome.failing, "sql": dg.MetadataValue.md(masked(f"```sql\n{outcome.sql}\n```"))},
        severity=dg.AssetCheckSeverity.ERROR if outcome.severity == "error" else dg.AssetCheckSeverity.WARN,
        description=masked(outcome.found),
    )


def undocumented(model: Model, produced: Collection[str]) -> list[str]:
    """What to change in the model's documentation, so that it has exactly the columns that the table has."""
    more = [column for column in produced if column not in {*model.columns, *DBT_COLUMNS}] if model.columns else []
    fewer = [column for column in model.columns if column not in produced]
    return [
        *([f"describe {', '.join(more)} in {model.properties_path}"] if more else []),
        *([f"remove {', '.join(fewer)} from {model.properties_path}: the table has no such column"] if fewer else []),
    ]
