"""Loads the same five lists with plain dlt, as its documentation suggests. Run by raw_sync.py.

Usage: plain_dlt.py [LOADER_FILE_FORMAT], with the settings of crm_assets in the environment.
"""

import os
import sys
from pathlib import Path
from typing import Any

import dlt
from dlt.sources.helpers.requests import Client
from dlt.sources.rest_api import rest_api_source
from requests.adapters import HTTPAdapter

from crm_assets.api import ENDPOINTS

requests_sent = 0


class CountingAdapter(HTTPAdapter):
    """Counts requests."""

    def send(self, *args: Any, **kwargs: Any) -> Any:
        """Counts and sends a request."""
        global requests_sent  # noqa: PLW0603
        requests_sent += 1
        return super().send(*args, **kwargs)


def main(file_format: Any = None) -> None:
    """Loads all five lists into a new database."""
    folder = Path(os.environ["CRM_DATA_DIR"])
    key = os.environ["SOURCES__CRM__API_KEY"]
    session = Client(raise_for_status=False).session
    session.mount("http://", CountingAdapter())
    source = rest_api_source(
        {
            "client": {
                "base_url": os.environ["SOURCES__CRM__BASE_URL"],
                "auth": {"type": "api_key", "name": "api_key", "api_key": key, "location": "header"},
                "paginator": {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": None},
                "session": session,
            },
            "resource_defaults": {
                "primary_key": "id",
                "write_disposition": "merge",
                "endpoint": {"params": {"per_page": 50}},
            },
            "resources": [
                {"name": name, "endpoint": {"path": endpoint.path, "data_selector": endpoint.data_selector}}
                for name, endpoint in ENDPOINTS.items()
            ],
        },
        name="crm",
    )
    pipeline = dlt.pipeline(
        "plain",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.duckdb(str(folder / "plain.duckdb")),
        dataset_name="raw",
    )
    pipeline.run(source, loader_file_format=file_format)
    print("requests", requests_sent)


if __name__ == "__main__":
    main(*sys.argv[1:])
