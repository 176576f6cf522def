"""Where a lake is: its catalog and its files, and messages without the passwords in either."""

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
        catalog: `postgres:` and how to connect to the database, or the path of a DuckDB file.
        files: Where its Parquet files lie: a folder, or `s3://bucket/crm`.
        schema: The catalog's schema in that database; empty: its default. Generated records have one of their own.
    """

    catalog: str
    files: str
    schema: str

    @classmethod
    def of(cls, address: str, files: str, *, is_sandbox: bool) -> "LakeAddress":
        """From what `CRM_WAREHOUSE` and `CRM_WAREHOUSE_FILES` say."""
        catalog = address.removeprefix(PREFIX)
        # Relative to where a process was started it would be another folder for each.
        where = files.rstrip("/") if "://" in files else str(Path(files).expanduser().absolute())
        return cls(catalog, f"{where}/sandbox", "sandbox") if is_sandbox else cls(catalog, where, "")

    @property
    def dsn(self) -> str | None:
        """What PostgreSQL's clients connect with; None when the catalog is a file."""
        return self.catalog.removeprefix(POSTGRES) if self.catalog.startswith(POSTGRES) else None

    def without_secrets(self, text: str) -> str:
        """A message on one line, without the passwords that the address or the files' place hold.

        DuckDB's extensions quote the address whole, in part, or as they understood it.
        """
        for found in SECRETS.findall(f"{self.catalog} {self.files}"):
            text = text.replace(next(filter(None, found)), "***")
        return " ".join(text.split())

    def __str__(self) -> str:
        """For messages."""
        return self.without_secrets(f"{PREFIX}{self.catalog}")
