"""The sales review as an asset: a page in the data directory. The UI shows its path and its headline numbers."""

from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from dagster import AssetsDefinition, MaterializeResult, MetadataValue, asset, get_dagster_logger
from sqlglot import exp

from crm_assets.assets.attributes import OWNERS, asset_key, code_references, retry_policy
from crm_assets.assets.failures import failures_explained
from crm_assets.errors import NothingStored, extra
from crm_assets.masking import masked
from crm_assets.reports.figures import headline_before, headline_json, queries, read_figures
from crm_assets.reports.files import page_path, write_privately
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
    found = {
        f"{table.db}.{table.name}"
        for sql in queries().values()
        for table in sqlglot.parse_one(sql, dialect="duckdb").find_all(exp.Table)
        if table.db
    }
    return sorted(found)


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
        metadata={"dagster/code_references": code_references({Path(__file__): "asset"}, "README.md")},
    )
    def sales_review(crm_warehouse: Warehouse) -> MaterializeResult[Any]:
        """Creates the review. It is compared with the previous one, whose numbers are saved next to the page."""
        with failures_explained(SALES_REVIEW, crm):
            return _created(crm, crm_warehouse.of(crm))

    return sales_review


def _created(crm: Crm, warehouse: Warehouse) -> MaterializeResult[Any]:
    # Imported here: the import takes a second, and other assets do not need it.
    with extra("report", "The report"):
        from crm_assets.reports.charts import charts
        from crm_assets.reports.page import render

    settings = resolve_settings(crm)
    try:
        with warehouse.read_connection() as connection:
            review = read_figures(connection)
    except duckdb.CatalogException as error:
        if not is_about_missing_table(error):
            raise
        raise NothingStored(
            "The marts that the report reads do not exist: materialize groups staging and marts first"
        ) from None
    page = page_path(settings, crm)
    numbers = page.with_suffix(".json")
    before = headline_before(review, numbers)
    source = "the bundled sandbox, generated" if settings.is_sandbox else f"the CRM {crm.name}".rstrip()
    write_privately(page, masked(render(review, charts(review), before, source)))
    write_privately(numbers, headline_json(review, before))
    get_dagster_logger().info(f"Sales review: {page}")
    return MaterializeResult(
        metadata={
            "page": MetadataValue.path(page),
            "figures of": MetadataValue.timestamp(review.taken_at),
            **{f"crm/{name.removeprefix('crm_')}": float(value) for name, value in review.headline.items()},
        }
    )
