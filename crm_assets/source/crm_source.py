"""The CRM as a dlt source: one declarative `rest_api` configuration for all resources."""

from collections.abc import Mapping
from typing import Any

import dlt
from dlt.extract import DltSource
from dlt.sources.rest_api import RESTAPIConfig, rest_api_source

from crm_assets.source.endpoints import ENDPOINTS
from crm_assets.source.paginator import FullReadPaginator
from crm_assets.source.records import LoadableRecords
from crm_assets.source.report import ReadReport
from crm_assets.source.schemas import resource_schema
from crm_assets.source.session import PageSession
from crm_assets.source.settings import CrmSettings


def crm_source(resource: str, settings: CrmSettings, report: ReadReport) -> DltSource:
    """The dlt source that reads one resource once, counting into `report`. Sends nothing before it is iterated.

    The source, and with it the dlt schema, is named after the resource, so that five resources in one dataset do not
    write each other's schema versions.
    """
    source = rest_api_source(rest_api_config(resource, settings, report), name=resource, max_table_nesting=0)
    source.resources[resource].add_step(LoadableRecords(resource_schema(resource), report))
    return source


def declared_source(resource: str) -> DltSource:
    """The source as declared, for asset specs: nothing is resolved, and it cannot be read."""
    declared = CrmSettings(base_url="https://crm.invalid", api_key="not resolved while definitions load")  # type: ignore[arg-type]
    return crm_source(resource, declared, ReadReport(resource))


def rest_api_config(resource: str, settings: CrmSettings, report: ReadReport) -> RESTAPIConfig:
    """The `rest_api` configuration of one resource. Needs settings with a base URL and a key."""
    endpoint = ENDPOINTS[resource]
    assert settings.base_url is not None and settings.api_key is not None
    return {
        "client": {
            "base_url": settings.base_url,
            "auth": {
                "type": "api_key",
                "name": settings.api_key_name,
                "api_key": settings.api_key.get_secret_value(),
                "location": "header",
            },
            "headers": {"Accept": "application/json"},
            "session": PageSession(settings, resource, endpoint.data_selector, report),
        },
        "resource_defaults": {
            "primary_key": "id",
            "write_disposition": "merge",
        },
        "resources": [
            {
                "name": resource,
                "columns": column_hints(resource),
                "endpoint": {
                    "path": settings.path(resource),
                    "params": {**settings.params(resource), "per_page": settings.per_page},
                    "data_selector": endpoint.data_selector,
                    "paginator": FullReadPaginator(report),
                },
            }
        ],
    }


def column_hints(resource: str) -> Mapping[str, Any]:
    """dlt's column hints of a resource: its declared columns. Of a record seen twice, the newer one is kept."""
    hints = {name: column.hint() for name, column in resource_schema(resource).columns.items()}
    hints["updated_at"]["dedup_sort"] = "desc"
    return hints
