"""The sales review as an asset: a page in the data directory. The UI shows its path and its headline numbers."""

from collections.abc import Mapping
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import duckdb
from dagster import AssetExecutionContext, AssetsDefinition, MaterializeResult, MetadataValue, asset, get_dagster_logger

from crm_assets.assets.attributes import OWNERS, asset_key, code_references, retry_policy
from crm_assets.assets.failures import failures_explained
from crm_assets.assets.models import ONLY_IF_CHANGED, last_shown
from crm_assets.errors import NothingStored, extra
from crm_assets.masking import masked
from crm_assets.reports.figures import headline_before, headline_json, queries, read_figures
from crm_assets.reports.files import page_path, write_privately
from crm_assets.runner import parsing
from crm_assets.runner.unchanged import version_of_tables
from crm_assets.settings import Crm, resolve_settings
from crm_assets.warehouse.duckdb_messages import is_about_missing_table
from crm_assets.warehouse.warehouse import Warehouse

SALES_REVIEW = "reports.sales_review"
"""The address of the page, as if it were a table."""

DESCRIPTION = (
    "The sales review: won revenue by month, open tasks by owner and age, meetings by week, and the accounts "
    "without contact for the longest time. It is one HTML file, `reports/{page}.html` in the data directory, "
    "and needs no network. `make report` creates and opens it."
)


def tables_read() -> list[str]:
    """The addresses of the models that the report's queries read."""
    return sorted(frozenset().union(*map(parsing.tables_read, queries().values())))


def build_sales_review(crm: Crm) -> AssetsDefinition:
    """The asset that creates a CRM's sales review."""

    @asset(
        key=asset_key(crm, SALES_REVIEW),
        deps=[asset_key(crm, address) for address in tables_read()],
        group_name=crm.named("reports"),
        kinds={"html", "vega"},
        owners=OWNERS,
        retry_policy=retry_policy(crm),
        description=DESCRIPTION.format(page=crm.named("sales_review")),
        config_schema=ONLY_IF_CHANGED,
        metadata={"dagster/code_references": code_references({Path(__file__): "asset"}, "README.md")},
    )
    def sales_review(context: AssetExecutionContext, crm_warehouse: Warehouse) -> MaterializeResult[Any]:
        """Creates the review. It is compared with the previous one, whose numbers are saved next to the page."""
        shown = last_shown(context.instance, context.asset_key) if context.op_config["only_if_changed"] else None
        with failures_explained(SALES_REVIEW, crm):
            return _created(crm, crm_warehouse.of(crm), shown)

    return sales_review


def _created(crm: Crm, warehouse: Warehouse, shown: Mapping[str, Any] | None) -> MaterializeResult[Any]:
    """The page, unless it is there and `shown`, what Dagster shows about it, is of the same tables."""
    settings = resolve_settings(crm)
    page = page_path(settings, crm)
    with warehouse.read_connection() as connection:
        tables = version_of_tables(connection, tables_read())
    version = MetadataValue.text(f"{package_version('crm_assets')} {tables}")
    if shown and tables and page.exists() and shown.get("crm/version") == version:
        return MaterializeResult(metadata={**shown, "crm/built": False})
    # Imported here: the import takes a second, and other assets do not need it.
    with extra("report", "The report"):
        from crm_assets.reports.charts import charts
        from crm_assets.reports.page import render

    try:
        with warehouse.read_connection() as connection:
            review = read_figures(connection)
    except duckdb.CatalogException as error:
        if not is_about_missing_table(error):
            raise
        raise NothingStored(
            "The marts that the report reads do not exist: materialize groups staging and marts first"
        ) from None
    numbers = page.with_suffix(".json")
    before = headline_before(review, numbers)
    source = "the bundled sandbox, generated" if settings.is_sandbox else f"the CRM {crm.name}".rstrip()
    write_privately(page, masked(render(review, charts(review), before, source)))
    write_privately(numbers, headline_json(review, before))
    get_dagster_logger().info(f"Sales review: {page}")
    return MaterializeResult(
        metadata={
            "page": MetadataValue.path(page),
            "crm/version": version,
            "crm/built": True,
            "figures of": MetadataValue.timestamp(review.taken_at),
            **{f"crm/{name.removeprefix('crm_')}": float(value) for name, value in review.headline.items()},
        }
    )
