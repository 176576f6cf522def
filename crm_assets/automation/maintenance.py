"""Maintenance of a lake: merges small files and expires old snapshots. A DuckDB file needs none."""

from pathlib import Path

import dagster as dg

from crm_assets.assets.attributes import OWNERS, asset_key, code_references, retry_policy
from crm_assets.assets.failures import failures_explained
from crm_assets.automation.schedules import schedule
from crm_assets.errors import SettingsError
from crm_assets.settings import Crm
from crm_assets.warehouse.lake.files import KEPT
from crm_assets.warehouse.warehouse import Warehouse

MAINTENANCE = "lake.maintenance"
"""The address of the step, as if it were a table."""


def build_maintenance(crm: Crm) -> dg.Definitions:
    """The asset that maintains a CRM's lake, its job, and the job's schedule."""

    @dg.asset(
        key=asset_key(crm, MAINTENANCE),
        group_name=crm.named("lake"),
        description=(
            "Each load adds small Parquet files. This asset merges them, expires snapshots older than "
            f"{KEPT}, and removes unused files, including those of killed writers. Runs can go on meanwhile."
        ),
        metadata={"dagster/code_references": code_references({Path(__file__): "asset"}, "docs/lake.md")},
        kinds={"ducklake"},
        owners=OWNERS,
        retry_policy=retry_policy(crm),
    )
    def lake_maintenance(crm_warehouse: Warehouse) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Maintains the lake. The metadata has the numbers of files and bytes before and after."""
        with failures_explained(MAINTENANCE, crm):
            warehouse = crm_warehouse.of(crm)
            if warehouse.lake is None:
                raise SettingsError(f"{warehouse.name} is no lake, and needs no maintenance. CRM_WAREHOUSE has changed")
            return dg.MaterializeResult(metadata=warehouse.lake.maintain())

    job = dg.define_asset_job(
        crm.named("lake_maintenance"),
        selection=[lake_maintenance],
        description="Merges the lake's small files and expires old snapshots.",
    )
    nightly = schedule(
        crm.named("lake_maintenance_schedule"),
        job,
        "30 4 * * *",
        "Every night, after the full read: merges small files, expires old snapshots.",
        # Each load adds files, so a lake without maintenance becomes slower and slower.
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(assets=[lake_maintenance], jobs=[job], schedules=[nightly])
