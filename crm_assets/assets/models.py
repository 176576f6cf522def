"""The models as assets: a `.sql` file becomes a view or table, and `from raw.accounts` in it a dependency."""

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    Failure,
    MaterializeResult,
    asset,
)

from crm_assets.assets import policies
from crm_assets.assets.code_references import code_references
from crm_assets.assets.model_builds import ModelError, build
from crm_assets.assets.model_files import Model, read_models
from crm_assets.assets.table_metadata import count_rows, table_columns
from crm_assets.resources.warehouse import Warehouse
from crm_assets.resources.writer_lock import WarehouseBusy


def model_asset(model: Model) -> AssetsDefinition:
    """The asset that builds one model."""

    @asset(
        key=AssetKey([model.folder, model.name]),
        deps=[AssetKey(address.split(".")) for address in sorted(model.depends_on)],
        group_name=model.folder,
        description=f"{model.properties.get('description', '')}\n\n```sql\n{model.sql.strip()}\n```",
        kinds={"sql", "duckdb", "view" if model.materialized == "view" else "table"},
        owners=policies.OWNERS,
        code_version=model.code_version,
        retry_policy=policies.retry_policy(),
        metadata={
            "dagster/table_name": model.address,
            "dagster/code_references": code_references({model.path: "SQL"}),
        },
    )
    def build_model(context: AssetExecutionContext, warehouse: Warehouse) -> MaterializeResult:  # type: ignore[type-arg]
        try:
            with warehouse.get_connection() as connection:
                build(connection, model)
                row_count = count_rows(connection, model.folder, model.name)
                columns = table_columns(connection, model.folder, model.name, model.columns)
        except (ModelError, WarehouseBusy) as error:
            raise Failure(description=str(error), allow_retries=False) from None
        return MaterializeResult(
            metadata={
                "dagster/row_count": row_count,
                "dagster/table_name": model.address,
                "dagster/column_schema": columns,
            }
        )

    return build_model


MODEL_ASSETS = [model_asset(model) for model in read_models()]
