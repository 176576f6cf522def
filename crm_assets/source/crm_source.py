"""The CRM as a dlt source: one declarative `rest_api` configuration for all resources."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from dlt.common.jsonpath import compile_path
from dlt.extract import DltSource
from dlt.sources.rest_api import rest_api_source
from dlt.sources.rest_api.typing import RESTAPIConfig
from pydantic import SecretStr
from requests import Session

from crm_assets.source.api import ENDPOINTS
from crm_assets.source.http.session import PageSession
from crm_assets.source.reading.incremental import SORT_NEWEST_FIRST, Cursor, IncrementalPaginator
from crm_assets.source.reading.paginator import FullReadPaginator
from crm_assets.source.reading.report import ReadMode, ReadReport
from crm_assets.source.schemas import resource_schema
from crm_assets.source.settings import CrmSettings
from crm_assets.source.typing.records import LoadableBatches

DLT_COLUMNS = {
    "_dlt_load_id": {"name": "_dlt_load_id", "data_type": "text", "nullable": False},
    "_dlt_id": {"name": "_dlt_id", "data_type": "text", "nullable": False, "unique": True, "row_key": True},
}
"""The columns that dlt adds, declared as it does: Arrow tables come with them."""


@contextmanager
def crm_source(
    resource: str, settings: CrmSettings, report: ReadReport, cursor: Cursor | None = None
) -> Iterator[DltSource]:
    """The dlt source that reads one resource once, counting into `report`. Sends nothing before it is iterated.

    The source, and with it the dlt schema, is named after the resource, so that five resources in one dataset do not
    write each other's schema versions.

    Args:
        resource: The resource to read.
        settings: With a base URL and a key.
        report: Its mode tells how to read.
        cursor: What an incremental read may stop at; without one it is a full read.
    """
    if cursor is None:
        report.mode = ReadMode.full
    with closing(PageSession(settings, resource, report)) as session:
        config = rest_api_config(resource, settings, report, session, cursor)
        source = rest_api_source(config, name=resource, max_table_nesting=0)
        source.resources[resource].add_step(LoadableBatches(resource_schema(resource), report))
        yield source


def declared_source() -> DltSource:
    """All resources as declared, for asset specs: nothing is resolved, and it cannot be read."""
    settings = CrmSettings(base_url="https://crm.invalid", api_key=SecretStr("not resolved at definition time"))
    first, *others = (
        rest_api_config(resource, settings, ReadReport(resource), Session(), None) for resource in ENDPOINTS
    )
    first["resources"] += [resource for config in others for resource in config["resources"]]
    return rest_api_source(first, name="crm", max_table_nesting=0)


def rest_api_config(
    resource: str, settings: CrmSettings, report: ReadReport, session: Session, cursor: Cursor | None
) -> RESTAPIConfig:
    """The `rest_api` configuration of one resource. Needs settings with a base URL and a key."""
    params: dict[str, Any] = {**settings.params(resource), "per_page": settings.per_page}
    if cursor is None:
        paginator = FullReadPaginator(report)
    else:
        params |= SORT_NEWEST_FIRST
        paginator = IncrementalPaginator(report, cursor)
    return {
        "client": {
            "base_url": settings.base_url or "",
            "auth": {
                "type": "api_key",
                "name": settings.api_key_name,
                "api_key": settings.api_key.get_secret_value() if settings.api_key else "",
                "location": "header",
            },
            "headers": {"Accept": "application/json"},
            "session": session,
        },
        "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
        "resources": [
            {
                "name": resource,
                "columns": column_hints(resource),
                "endpoint": {
                    "path": settings.path(resource),
                    "params": params,
                    # Compiled once; dlt would compile a text anew for every page.
                    "data_selector": compile_path(ENDPOINTS[resource].data_selector),
                    "paginator": paginator,
                },
            }
        ],
    }


def column_hints(resource: str) -> dict[str, Any]:
    """Dlt's column hints of a resource: its declared columns."""
    return {name: column.hint() for name, column in resource_schema(resource).columns.items()} | DLT_COLUMNS
