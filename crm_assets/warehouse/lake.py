"""The lake: the analysts' tables for readers on other machines, who see one whole state while runs go on.

A DuckDB file is for one machine. A DuckLake keeps tables as Parquet files where all can reach them, in a shared folder
or on S3, and its catalog in a database, such as Postgres. Only whole states are ever shown: each is one transaction.
"""

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock, Timeout

from crm_assets.settings import resolve_settings

SCHEMAS = ("seeds", "staging", "snapshots", "marts")
"""What analysts read. Raw tables also hold what vanished, and stay where they are."""

KEPT = "7 days"
"""How long earlier states can be read; after that their files are removed."""

SECRETS = re.compile(
    r"""(?:password|key|secret|token)\w*\s*=\s*(?:'([^']+)'|([^'&;\s]+))|://([^@/\s]+)@""", re.IGNORECASE
)

TABLES = """
select
    table_schema,
    table_name
from information_schema.tables
where table_catalog = ? and table_schema in ? and table_type in ?
order by all
"""


class LakeError(Exception):
    """The lake could not be written. Its message does not hold the address, in which a password may be."""


@dataclass(frozen=True)
class Lake:
    """A DuckLake.

    Attributes:
        address: As DuckDB attaches it: `ducklake:postgres:dbname=lake host=db`. A catalog that is a DuckDB file itself,
            `ducklake:crm.ducklake`, is for trying: whoever reads it keeps others from writing.
        files: Where its Parquet files lie: a folder, `s3://bucket/crm`. Empty: where it has them already, or, for a
            catalog that is a file, beside it.
    """

    address: str
    files: str = ""

    def __post_init__(self) -> None:
        """Checks the address.

        Raises:
            LakeError: It is none of a DuckLake.
        """
        if not self.address.startswith("ducklake:"):
            raise LakeError("CRM_LAKE must begin with ducklake: such as ducklake:postgres:dbname=lake host=db")

    def without_secrets(self, text: str) -> str:
        """A message of DuckDB's on one line, without the passwords that the address or the files' place hold.

        Its extensions quote the address whole, in part, or as they understood it.
        """
        for named, quoted, in_url in SECRETS.findall(f"{self.address} {self.files}"):
            text = text.replace(named or quoted or in_url, "***")
        return " ".join(text.split())


def configured_lake() -> Lake | None:
    """The lake that `CRM_LAKE` and `CRM_LAKE_FILES` name; None when none is.

    Raises:
        LakeError: `CRM_LAKE` is no address of a DuckLake.
    """
    settings = resolve_settings()
    if settings.lake is None:
        return None
    files = settings.lake_files.get_secret_value() if settings.lake_files else ""
    return Lake(settings.lake.get_secret_value(), files)


def publish_to_lake(published: Path, lake: Lake, wait: float, config: Mapping[str, Any]) -> int:
    """Puts the tables and views of a published copy into the lake, as tables, and takes out those that are gone.

    Runs that end at the same time come one after the other; the last one finds the newest copy.

    Args:
        published: A DuckDB file that nobody writes to.
        lake: Where to.
        wait: Seconds to wait while another run of this machine does the same.
        config: DuckDB's configuration.

    Returns:
        How many tables there are.

    Raises:
        LakeError: Nothing was changed.
    """
    try:
        with FileLock(f"{published}.lake.lock", timeout=wait, mode=0o600):
            return _publish(published, lake, config)
    except Timeout:
        raise LakeError(f"another run has been writing to it for {wait:.0f} s") from None
    except duckdb.Error as error:
        raise LakeError(f"{type(error).__name__}: {lake.without_secrets(str(error))}") from None


def _publish(published: Path, lake: Lake, config: Mapping[str, Any]) -> int:
    files = f"(data_path {_literal(lake.files)})" if lake.files else ""
    with closing(duckdb.connect(config=dict(config))) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach {_literal(str(published))} as published (read_only)")
        connection.execute(f"attach {_literal(lake.address)} as lake {files}")
        for procedure in ("ducklake_expire_snapshots", "ducklake_cleanup_old_files"):
            connection.execute(f"call {procedure}('lake', older_than => now() - interval '{KEPT}')")
        connection.execute("begin")
        tables = connection.execute(TABLES, ["published", SCHEMAS, ("BASE TABLE", "VIEW")]).fetchall()
        earlier = connection.execute(TABLES, ["lake", SCHEMAS, ("BASE TABLE",)]).fetchall()
        for schema in SCHEMAS:
            connection.execute(f"create schema if not exists lake.{schema}")
        for schema, table in sorted(set(earlier) - set(tables)):
            connection.execute(f"drop table lake.{schema}.{_identifier(table)}")
        for schema, table in tables:
            name = f"{schema}.{_identifier(table)}"
            connection.execute(f"create or replace table lake.{name} as from published.{name}")
        connection.execute("commit")
    return len(tables)


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
