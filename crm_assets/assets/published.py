"""Steps on a whole database: publishing it to readers, the last step of a run, and maintenance of a lake."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import dagster as dg

from crm_assets.assets.attributes import OWNERS, asset_key, code_references, masked_metadata, retry_policy
from crm_assets.assets.failures import failures_explained
from crm_assets.errors import SettingsError
from crm_assets.settings import Crm, resolve_settings
from crm_assets.settings.finding import NOT_FOR_TABLES
from crm_assets.warehouse.duckdb_file import published_path
from crm_assets.warehouse.lake.files import KEPT
from crm_assets.warehouse.warehouse import Warehouse

PUBLISHED = "published.database"
"""The address of the step, as if it were a table."""

DESCRIPTION = (
    "All tables as of the end of the last run, for readers. After a run in which an asset failed, the sensor "
    "`{sensor}` starts the job `{job}`.\n\n"
    "With a DuckDB file, this is a copy next to it, such as `{copy}`. Its readers never block runs, "
    "and runs never block them. Readers of a lake see each commit at once; this asset then shows its snapshot."
)


def build_published_database(crm: Crm, tables: Sequence[dg.AssetsDefinition]) -> dg.AssetsDefinition:
    """The asset that publishes a CRM's tables. `tables`: their assets.

    It depends on those that no other table is built from, so it runs after all of them.
    """
    inputs = {dependency.asset_key for table in tables for spec in table.specs for dependency in spec.deps}

    @dg.asset(
        key=asset_key(crm, PUBLISHED),
        deps=[table for table in tables if inputs.isdisjoint(table.keys)],
        group_name=crm.named("published"),
        description=DESCRIPTION.format(
            sensor=crm.named("publish_after_failed_runs"),
            job=crm.named("publish"),
            copy=published_path(Path(f"{crm.section}.duckdb")),
        ),
        metadata={"dagster/code_references": code_references({Path(__file__): "asset"}, "docs/operations.md")},
        kinds={"duckdb"},
        owners=OWNERS,
        retry_policy=retry_policy(crm),
        op_tags={"dagster/priority": "-2"},  # in a selection without these tables, after the others that are ready
    )
    def published_database(crm_warehouse: Warehouse) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Publishes, unless nothing has changed."""
        with failures_explained(PUBLISHED, crm):
            published = crm_warehouse.of(crm).publish()
        shown = {name: value for name, value in asdict(published).items() if value is not None}
        return dg.MaterializeResult(
            metadata=masked_metadata({"crm/source": resolve_settings(crm, NOT_FOR_TABLES).source, **shown})
        )

    return published_database


MAINTENANCE = "lake.maintenance"
"""The address of the step, as if it were a table."""


def build_lake_maintenance(crm: Crm) -> dg.AssetsDefinition:
    """The asset that maintains a CRM's lake: merges small files, expires old snapshots. A DuckDB file needs none."""

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

    return lake_maintenance
