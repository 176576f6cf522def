"""The sales review as an asset: a page in the data directory. The UI shows its path and its headline numbers."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from crm_assets.assets.attributes import OWNERS, asset_key, code_references, retry_policy
from crm_assets.assets.failures import failures_explained
from crm_assets.assets.models import ONLY_IF_CHANGED, last_shown
from crm_assets.errors import NothingStored
from crm_assets.reports.figures import Formats, last_reads, queries, read_figures
from crm_assets.reports.page import page_path, write_review
from crm_assets.reports.tables import HEADLINE
from crm_assets.runner import lineage
from crm_assets.runner.model import BOOKKEEPING, Model
from crm_assets.runner.unchanged import version_of_tables
from crm_assets.settings import Crm, CrmSettings, resolve_settings
from crm_assets.settings.secrets import url
from crm_assets.warehouse.tables import existing_tables
from crm_assets.warehouse.warehouse import Warehouse

SALES_REVIEW = "reports.sales_review"
"""The address of the page, as if it were a table."""

DESCRIPTION = (
    "The sales review: whether sales are on target, who brings them and from whom, what is at risk, and whether the "
    "data can be trusted. It is one HTML file, `reports/{page}.html` in the data directory. Its tables are CSV files "
    "in a folder beside it. `make report` creates and opens it."
)


def tables_read() -> list[str]:
    """The addresses of the models that the report's queries read."""
    return sorted(frozenset().union(*map(lineage.tables_read, queries().values())) - BOOKKEEPING)


def build_sales_review(crm: Crm, models: Iterable[Model]) -> dg.AssetsDefinition:
    """The asset that creates a CRM's sales review. `models`: those that define its metrics."""
    definitions = {metric: model.columns[name] for model in models for metric, name in model.metrics.items()}

    @dg.asset(
        key=asset_key(crm, SALES_REVIEW),
        deps=[asset_key(crm, address) for address in tables_read()],
        group_name=crm.named("reports"),
        kinds={"html"},
        owners=OWNERS,
        retry_policy=retry_policy(crm),
        description=DESCRIPTION.format(page=crm.named("sales_review")),
        config_schema={"only_if_changed": ONLY_IF_CHANGED},
        metadata={"dagster/code_references": code_references({Path(__file__): "asset"}, "docs/sales_review.md")},
    )
    def sales_review(context: dg.AssetExecutionContext, crm_warehouse: Warehouse) -> dg.MaterializeResult[Any]:
        """Creates the review."""
        shown = last_shown(context.instance, context.asset_key) if context.op_config["only_if_changed"] else None
        with failures_explained(SALES_REVIEW, crm):
            return _created(crm, crm_warehouse.of(crm), definitions, shown)

    return sales_review


def _created(
    crm: Crm, warehouse: Warehouse, definitions: Mapping[str, str], shown: Mapping[str, Any] | None
) -> dg.MaterializeResult[Any]:
    """The page, unless it is there and `shown`, what Dagster shows about it, is of the same tables and reads."""
    settings = resolve_settings(crm)
    page = page_path(settings, crm)
    with warehouse.read_connection() as connection:
        if missing := sorted({*tables_read(), "raw.sync_log"} - existing_tables(connection).keys()):
            raise NothingStored(
                f"There is no {', no '.join(missing)}: materialize groups staging and marts first, such as with: "
                f"crm-assets run {crm.named('crm_build')}"
            )
        tables_version = version_of_tables(connection, tables_read())
        reads = last_reads(connection)
        parts = (package_version("crm_assets"), settings.currency, tables_version, *(row["read_at"] for row in reads))
        version = dg.MetadataValue.text(" ".join(map(str, parts)))
        if shown and tables_version and page.exists() and shown.get("crm/version") == version:
            return dg.MaterializeResult(metadata={**shown, "page": _link(settings, page), "crm/built": False})
        review = read_figures(connection)
    formats = Formats(ZoneInfo(settings.reporting_timezone), settings.currency)
    source = "the bundled sandbox, generated" if settings.is_sandbox else f"the CRM {crm.name}".rstrip()
    write_review(page, review, formats, definitions, source)
    latest = review["headline"][0]
    dg.get_dagster_logger().info(f"Sales review: {page}")
    return dg.MaterializeResult(
        metadata={
            "page": _link(settings, page),
            "crm/version": version,
            "crm/built": True,
            "figures of": dg.MetadataValue.timestamp(latest["taken_at"]),
            **{f"crm/{name.removeprefix('crm_')}": float(latest[name]) for name in HEADLINE},
        }
    )


def _link(settings: CrmSettings, page: Path) -> dg.MetadataValue[Any]:
    """The page's address or, where none serves it, its path: browsers open no `file:` links of the UI."""
    if settings.reports_url is None:
        return dg.MetadataValue.path(page)
    return dg.MetadataValue.url(f"{url(settings.reports_url).shown.rstrip('/')}/{page.name}")
