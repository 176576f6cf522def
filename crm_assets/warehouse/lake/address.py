"""How a lake is reached: its address, DuckDB's extensions, keys for S3, and what is said where that fails.

Extensions come from Python packages if installed; DuckDB downloads the others when needed. It checks the signature of
each, which takes 0.1 to 0.2 s of CPU: the packages hold DuckDB's own signed files.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb

from crm_assets.errors import NothingStored, WarehouseError, WarehouseUnreachable
from crm_assets.masking import masked
from crm_assets.settings import named_now, secrets
from crm_assets.warehouse.duckdb_messages import (
    MISSING_LAKE,
    OTHER_FILES,
    is_denial,
    is_lost,
    is_refusal,
    without_statement,
)
from crm_assets.warehouse.lake.marker import NOT_FOUND
from crm_assets.warehouse.tables import literal

PREFIX = "ducklake:"
POSTGRES = "postgres:"

EXTENSIONS = ("ducklake", "postgres_scanner", "httpfs", "aws")

ONLY_PACKAGES: Mapping[str, str] = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
"""With all extensions from packages, DuckDB downloads no others."""


@dataclass(frozen=True)
class LakeAddress:
    """A DuckLake.

    Attributes:
        catalog: `postgres:` and a connection string, or the path of a DuckDB file.
        files: The place of its Parquet files: a folder, or `s3://bucket/crm`.
        schema: The catalog's schema in that database; empty: its default. The sandbox and each CRM with a name have
            their own.
    """

    catalog: str
    files: str
    schema: str

    @classmethod
    def of(cls, address: str, files: str, name: str) -> "LakeAddress":
        """The address in `CRM_WAREHOUSE` and `CRM_WAREHOUSE_FILES`; for a name, of the lake beside it."""
        catalog = address.removeprefix(PREFIX)
        # A relative path would mean another folder for each process.
        where = files.rstrip("/") if "://" in files else str(Path(files).expanduser().absolute())
        # Side by side: files that are not in a lake's catalog are deleted from its folder.
        return cls(catalog, f"{where}/{name or 'crm'}", name)

    @property
    def dsn(self) -> str | None:
        """The connection string for PostgreSQL; None if the catalog is a file."""
        return self.catalog.removeprefix(POSTGRES) if self.catalog.startswith(POSTGRES) else None

    @property
    def folder(self) -> Path | None:
        """The folder of its files; None if they are in a bucket."""
        return None if "://" in self.files else Path(self.files)

    @property
    def extensions(self) -> list[str]:
        """Those that it needs."""
        needed = {
            "ducklake": True,
            "postgres_scanner": self.dsn is not None,
            "httpfs": self.folder is None,
            "aws": self.folder is None and needs_aws(),
        }
        return [name for name in EXTENSIONS if needed[name]]

    def without_secrets(self, text: str) -> str:
        """A message on one line, without the secrets in the address of the catalog or the files.

        DuckDB's extensions quote the address in whole, in part, or reformatted.
        """
        catalog, files = secrets.warehouse(f"{PREFIX}{self.catalog}"), secrets.warehouse(self.files)
        text = text.replace(self.catalog, catalog.shown.removeprefix(PREFIX))
        text = text.replace(self.files, files.shown) if self.files else text
        return " ".join(masked(text, catalog.secrets | files.secrets).split())

    def __str__(self) -> str:
        """For messages."""
        return secrets.warehouse(f"{PREFIX}{self.catalog}").shown


def connected_with(names: Collection[str], config: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    """A connection to an empty database in memory, with extensions.

    Args:
        names: The extensions. Those with a package `duckdb-extension-<name>` of DuckDB's version are loaded from it.
        config: DuckDB's configuration.
    """
    files = [file for name in names for file in _packaged(name)]
    connection = duckdb.connect(config={**config, **(ONLY_PACKAGES if len(files) == len(names) else {})})
    for file in files:
        connection.load_extension(str(file))
    return connection


def _packaged(name: str) -> list[Path]:
    package = find_spec(f"duckdb_extension_{name}")
    folders = (package and package.submodule_search_locations) or ()
    files = [Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension" for folder in folders]
    return [file for file in files if file.exists()]


REFUSED = frozenset(range(300, 500)) - {408, 425, 429}
"""HTTP statuses of a request that the storage will refuse again."""


SMALL_PARTS = "set global s3_uploader_max_filesize = '100GB'; set global s3_uploader_thread_limit = 4"
"""Uploads files in parts of 10 MB, four at a time. Of 80 MB each, as is the default, they do not fit into the memory of
a load: each large one was made twice. Global, since connections are cursors of the instance."""


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
    if url := os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"):
        parts = urlsplit(url)
        given |= {"endpoint": parts.netloc, "use_ssl": str(parts.scheme != "http").lower(), "url_style": "path"}
    listed = ", ".join(f"{name} {literal(value)}" for name, value in given.items() if value)
    connection.execute(f"create secret (type s3, {listed}); {SMALL_PARTS}")


def needs_aws() -> bool:
    """Whether credentials come from where AWS's own tools find them, which takes DuckDB's extension `aws`."""
    return not os.environ.get("AWS_ACCESS_KEY_ID")


def is_about_lake(error: BaseException) -> bool:
    """Whether an error is about a lake's files or its catalog. DuckDB says which where there is no HTTP status."""
    is_quoted = any(words in str(error) for words in ("://", "/ducklake-", "Unable to connect to Postgres"))
    return isinstance(error, duckdb.HTTPException) or (isinstance(error, duckdb.IOException) and is_quoted)


def may_answer_later(error: BaseException) -> bool:
    """Whether storage or catalog did not answer, were busy or out of order. DuckDB has tried again for about a second.

    A file that is not found may have been erased since the transaction began: the next one needs others.
    """
    return is_about_lake(error) and getattr(error, "status_code", None) not in REFUSED - {NOT_FOUND}


@contextmanager
def explained(
    address: LakeAddress, setting: str, errors: tuple[type[Exception], ...] = (duckdb.Error, OSError)
) -> Iterator[None]:
    """Explains errors of the body.

    Args:
        address: The lake.
        setting: The setting of what the body reaches.
        errors: The kinds of errors that are explained.

    Raises:
        NothingStored: The lake does not exist yet.
        WarehouseError: Its files are elsewhere.
        WarehouseUnreachable: Something could not be reached, or refused.
    """
    try:
        yield
    except errors as error:
        if MISSING_LAKE.search(str(error)):
            raise NothingStored(
                f"{address} holds nothing yet: materialize the raw assets first, such as with: "
                f"crm-assets run {named_now('crm_full_refresh')}"
            ) from None
        if OTHER_FILES in str(error):
            raise WarehouseError(
                address.without_secrets(
                    f"{error} Set CRM_WAREHOUSE_FILES to where the lake has its files. docs/lake.md describes how to "
                    "move them. Nothing was written"
                )
            ) from None
        if is_lost(error):  # its id is compared with that among the files
            setting = "CRM_WAREHOUSE"
        what = address.files if setting == "CRM_WAREHOUSE_FILES" else f"{PREFIX}{address.catalog}"
        status = getattr(error, "status_code", None)
        action = "written to" if is_denial(error) else "reached"
        refused = isinstance(error, OSError) or is_refusal(error) or is_denial(error) or status in REFUSED
        raise WarehouseUnreachable(
            address.without_secrets(
                f"{what} could not be {action}: {without_statement(error)}. {_advice(error, setting)}"
            ),
            may_recover=not refused,
        ) from None


def _advice(error: Exception, setting: str) -> str:
    status = getattr(error, "status_code", None)
    if is_denial(error):
        return f"The role in {setting} may only read: use one that may write"
    if status == NOT_FOUND:
        return f"Create the bucket, or correct {setting}"
    if status in REFUSED:
        return (
            "The storage refuses the keys in AWS_ACCESS_KEY_ID: they are wrong, have expired, may not get, put, delete "
            f"and list objects, or belong to another region. Check them, AWS_REGION, and {setting}"
        )
    return f"Check {setting}, and whether it runs"
