"""The models as assets: a `.sql` file becomes a view or table, and `from raw.accounts` in it a dependency."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
from dagster import (
    AssetCheckResult,
    AssetsDefinition,
    Failure,
    MaterializeResult,
    TableColumnDep,
    TableColumnLineage,
    asset,
    get_dagster_logger,
)

from crm_assets.assets import policies
from crm_assets.assets.code_references import code_references
from crm_assets.assets.model_checks import asset_key, check_result, check_specs, columns_result, cross_checks
from crm_assets.assets.table_metadata import count_rows, table_columns
from crm_assets.sql_models.builds import ModelError, WrongRows, build
from crm_assets.sql_models.data_test_runs import run_test
from crm_assets.sql_models.lineage import column_lineage, known_columns
from crm_assets.sql_models.loading import load_models
from crm_assets.sql_models.model import Model, asset_behind
from crm_assets.warehouse.backend import WarehouseUnreachable
from crm_assets.warehouse.lock import WarehouseBusy
from crm_assets.warehouse.warehouse import Warehouse


def model_asset(model: Model) -> AssetsDefinition:
    """The asset that builds one model and tests it."""

    @asset(
        key=asset_key(model.address),
        deps=[asset_key(address) for address in sorted(model.depends_on)],
        group_name=model.folder,
        description=f"{model.description}\n\n```sql\n{model.sql.strip()}\n```",
        kinds={"sql", "duckdb", model.kind},
        owners=[model.owner] if model.owner else policies.OWNERS,
        code_version=model.code_version,
        retry_policy=policies.retry_policy(),
        check_specs=check_specs(model),
        metadata={"dagster/table_name": model.address, "dagster/code_references": code_references(_files(model))},
    )
    def build_model(warehouse: Warehouse) -> Iterator[AssetCheckResult | MaterializeResult[Any]]:
        try:
            with warehouse.get_connection(table=model.address) as connection:
                result = _materialized(connection, model)
        except WrongRows as refused:
            yield from map(check_result, refused.outcomes)
            raise Failure(description=str(refused), allow_retries=False) from None
        except (ModelError, WarehouseBusy, WarehouseUnreachable) as error:
            raise Failure(description=str(error), allow_retries=False) from None
        yield result

    return build_model


def _materialized(connection: duckdb.DuckDBPyConnection, model: Model) -> MaterializeResult[Any]:
    outcomes = build(connection, model)
    outcomes += [run_test(connection, model, test) for test in model.own_tests if not test.blocks]
    columns = table_columns(connection, model.folder, model.name, model.columns)
    results = [check_result(outcome) for outcome in outcomes]
    if model.columns:
        results.append(columns_result(model, [column.name for column in columns.columns]))
    return MaterializeResult(
        metadata={
            "dagster/row_count": count_rows(connection, model.folder, model.name),
            "dagster/table_name": model.address,
            "dagster/column_schema": columns,
            **_lineage(connection, model),
        },
        check_results=results,
    )


def _lineage(connection: duckdb.DuckDBPyConnection, model: Model) -> Mapping[str, TableColumnLineage]:
    try:
        lineage = column_lineage(model.query, known_columns(connection))
    except Exception as error:  # noqa: BLE001 # a picture is not worth a failed run, whatever is wrong with it
        get_dagster_logger().warning(f"No column lineage for {model.address}: {type(error).__name__}: {error}")
        return {}
    return {
        "dagster/column_lineage": TableColumnLineage(
            {
                column: [
                    TableColumnDep(asset_key(source), name)
                    for source, name in dict.fromkeys((asset_behind(f"{s}.{t}"), name) for s, t, name in origins)
                    if source in model.depends_on
                ]
                for column, origins in lineage.items()
            }
        )
    }


def _files(model: Model) -> Mapping[Path, str]:
    documented = {model.properties_path: "documentation and tests"} if model.properties_path else {}
    return {model.path: "SQL", **documented}


MODELS = load_models()
MODEL_ASSETS = [model_asset(model) for model in MODELS]
MODEL_CHECKS = cross_checks(MODELS)
