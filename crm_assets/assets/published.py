"""The last step of a run: from here on readers see what it has made."""

from dagster import AssetKey, Failure, MaterializeResult, asset

from crm_assets.alerts.hooks import ALERT_HOOKS
from crm_assets.assets import policies
from crm_assets.assets.models import MODEL_ASSETS
from crm_assets.assets.raw import RAW_ASSETS
from crm_assets.warehouse.backend import WarehouseUnreachable
from crm_assets.warehouse.lock import WarehouseBusy
from crm_assets.warehouse.warehouse import Warehouse

PUBLISHED = AssetKey(["published", "database"])


@asset(
    key=PUBLISHED,
    deps=[*RAW_ASSETS, *MODEL_ASSETS],
    group_name="published",
    description=(
        "What readers see: all tables as one whole state, of the end of the last run in which nothing failed.\n\n"
        "Of a DuckDB file it is a copy beside it, such as `crm.published.duckdb`, whose readers neither wait nor keep "
        "runs waiting. Readers of a lake see each commit; then this tells the number of the state."
    ),
    kinds={"duckdb"},
    owners=policies.OWNERS,
    retry_policy=policies.retry_policy(),
    hooks=ALERT_HOOKS,
)
def published_database(warehouse: Warehouse) -> MaterializeResult:  # type: ignore[type-arg]
    """Publishes, unless readers see the same already."""
    try:
        published = warehouse.publish()
    except (WarehouseBusy, WarehouseUnreachable, OSError) as error:
        raise Failure(
            description=f"Readers see what they saw before: {error}",
            allow_retries=isinstance(error, WarehouseUnreachable),
        ) from None
    metadata: dict[str, str | int | bool] = {"where": published.where, "is_new": published.is_new}
    if published.version is not None:
        metadata["version"] = published.version
    return MaterializeResult(metadata=metadata)
