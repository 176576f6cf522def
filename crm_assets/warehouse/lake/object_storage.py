"""Access to S3 and compatible servers, with the usual `AWS_*` variables."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

import duckdb

from crm_assets.warehouse.quoting import literal

REFUSED = frozenset(range(400, 500)) - {408, 425, 429}
"""HTTP statuses of a request that the storage will refuse again."""


def allow_s3(connection: duckdb.DuckDBPyConnection) -> None:
    """Gives a connection the credentials: from the environment, or from where AWS's own tools find them."""
    given = {
        "key_id": os.environ.get("AWS_ACCESS_KEY_ID"),
        "secret": os.environ.get("AWS_SECRET_ACCESS_KEY"),
        "session_token": os.environ.get("AWS_SESSION_TOKEN"),
        "region": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
    }
    if needs_aws():
        given["provider"] = "credential_chain"
    options = {name: value for name, value in given.items() if value} | dict(_endpoint())
    listed = ", ".join(f"{name} {literal(value)}" for name, value in options.items())
    connection.execute(f"create secret (type s3, {listed})")


def needs_aws() -> bool:
    """Whether credentials come from where AWS's own tools find them, which takes DuckDB's extension `aws`."""
    return not os.environ.get("AWS_ACCESS_KEY_ID")


def is_about_storage(error: BaseException) -> bool:
    """Whether an error is about object storage. DuckDB quotes its URL where there was no answer, and so no status."""
    return isinstance(error, duckdb.HTTPException) or (isinstance(error, duckdb.IOException) and "://" in str(error))


def may_answer_later(error: BaseException) -> bool:
    """Whether the storage did not answer, was busy or out of order. DuckDB has tried again for about a second."""
    return is_about_storage(error) and getattr(error, "status_code", None) not in REFUSED


def _endpoint() -> Mapping[str, str]:
    url = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not url:
        return {}
    parts = urlsplit(url)
    return {"endpoint": parts.netloc, "use_ssl": str(parts.scheme != "http").lower(), "url_style": "path"}
