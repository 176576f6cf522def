"""The upkeep of a lake as an asset: small files merged, earlier states expired. A DuckDB file needs none."""

from dagster import AssetKey, Failure, MaterializeResult, asset

from crm_assets.alerts.hooks import ALERT_HOOKS
from crm_assets.assets import policies
from crm_assets.warehouse.address import has_maintenance
from crm_assets.warehouse.backend import WarehouseUnreachable
from crm_assets.warehouse.lake_files import KEPT
from crm_assets.warehouse.lock import WarehouseBusy
from crm_assets.warehouse.warehouse import Warehouse

MAINTENANCE = AssetKey(["lake", "maintenance"])


@asset(
    key=MAINTENANCE,
    group_name="lake",
    description=(
        "Each load adds small Parquet files. This merges them, expires states that are older than "
        f"{KEPT}, and removes files that no state needs, also those that killed writers left. Runs go on meanwhile."
    ),
    kinds={"ducklake"},
    owners=policies.OWNERS,
    retry_policy=policies.retry_policy(),
    hooks=ALERT_HOOKS,
)
def lake_maintenance(warehouse: Warehouse) -> MaterializeResult:  # type: ignore[type-arg]
    """Tells how many files and bytes there were and are."""
    try:
        return MaterializeResult(metadata=warehouse.maintain())
    except (WarehouseBusy, WarehouseUnreachable) as error:
        raise Failure(description=str(error), allow_retries=isinstance(error, WarehouseUnreachable)) from None


MAINTENANCE_ASSETS = [lake_maintenance] if has_maintenance() else []
