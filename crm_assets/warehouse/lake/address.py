"""The address of a lake: its catalog and its files. Removes the passwords in both from messages."""

from dataclasses import dataclass
from pathlib import Path

from crm_assets.masking import masked
from crm_assets.settings import secrets

PREFIX = "ducklake:"
POSTGRES = "postgres:"


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
