"""The address of a lake: its catalog and its files. Removes the passwords in both from messages."""

import re
from dataclasses import dataclass
from pathlib import Path

PREFIX = "ducklake:"
POSTGRES = "postgres:"

SECRETS = re.compile(
    r"""(?:password|key|secret|token)\w*\s*=\s*(?:'([^']+)'|([^'&;\s]+))|://[^:@/\s]*:([^@/\s]+)@""", re.IGNORECASE
)


@dataclass(frozen=True)
class LakeAddress:
    """A DuckLake.

    Attributes:
        catalog: `postgres:` and a connection string, or the path of a DuckDB file.
        files: The place of its Parquet files: a folder, or `s3://bucket/crm`.
        schema: The catalog's schema in that database; empty: its default. The sandbox has a separate one.
    """

    catalog: str
    files: str
    schema: str

    @classmethod
    def of(cls, address: str, files: str, *, is_sandbox: bool) -> "LakeAddress":
        """The address in `CRM_WAREHOUSE` and `CRM_WAREHOUSE_FILES`."""
        catalog = address.removeprefix(PREFIX)
        # A relative path would mean another folder for each process.
        where = files.rstrip("/") if "://" in files else str(Path(files).expanduser().absolute())
        # Side by side: files that are not in a lake's catalog are deleted from its folder.
        return cls(catalog, f"{where}/sandbox", "sandbox") if is_sandbox else cls(catalog, f"{where}/crm", "")

    @property
    def dsn(self) -> str | None:
        """The connection string for PostgreSQL; None if the catalog is a file."""
        return self.catalog.removeprefix(POSTGRES) if self.catalog.startswith(POSTGRES) else None

    def without_secrets(self, text: str) -> str:
        """A message on one line, without the passwords in the address of the catalog or the files.

        DuckDB's extensions quote the address in whole, in part, or reformatted.
        """
        for found in SECRETS.findall(f"{self.catalog} {self.files}"):
            text = text.replace(next(filter(None, found)), "***")
        return " ".join(text.split())

    def __str__(self) -> str:
        """For messages."""
        return self.without_secrets(f"{PREFIX}{self.catalog}")
