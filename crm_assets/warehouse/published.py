"""The published copy: a second file, so that readers and runs never block each other."""

import os
import shutil
from collections.abc import Mapping
from contextlib import closing
from glob import escape
from pathlib import Path
from typing import Any

import duckdb

from crm_assets.settings import Crm
from crm_assets.warehouse.quoting import identifier
from crm_assets.warehouse.rewriting import prepare, rewrite_file
from crm_assets.warehouse.schemas import belong_to, schemas_of

OTHERS = """
select schema_name
from duckdb_schemas()
where database_name = current_database() and not internal and schema_name <> 'main'
"""


def published_path(database: Path, crm: Crm) -> Path:
    """The path of a DuckDB file's published copy: `crm.published.duckdb` next to `crm.duckdb`.

    Each of several CRMs has a copy of its own, such as `crm.north.published.duckdb`.
    """
    return database.with_suffix(f".{crm.name}.published.duckdb" if crm.name else ".published.duckdb")


def is_published(database: Path, crm: Crm) -> bool:
    """Whether the copy is up to date, or there is no database."""
    copy = published_path(database, crm)
    if not database.exists():
        return True
    return copy.exists() and copy.stat().st_mtime_ns == database.stat().st_mtime_ns


def publish(database: Path, crm: Crm, config: Mapping[str, Any]) -> None:
    """Copies a CRM's tables and replaces its published copy atomically.

    The only CRM's copy is one of the file. For one of several CRMs, the tables are copied one by one: those of the
    others may be half built, and their records are not for the same readers.

    Args:
        database: Closed, with an empty write-ahead log. The caller must hold the lock.
        crm: The CRM.
        config: DuckDB's configuration.

    Raises:
        OSError: For example, the disk is full. The previous copy is still there.
    """
    copy = published_path(database, crm)
    if not crm.name:
        _copy(database, copy)
        return
    for left in database.parent.glob(f"{escape(database.stem)}.*.part.duckdb*"):
        left.unlink()  # by a killed process: it has records of all CRMs
    part = database.with_suffix(f".{crm.name}.part.duckdb")
    try:
        _copy(database, part)
        with closing(duckdb.connect(str(part), config=dict(config))) as connection:
            belong_to(connection, crm)
            of_crm = schemas_of(connection)
            for (schema,) in connection.execute(OTHERS).fetchall():
                if of_crm.layer(schema) is None:
                    connection.execute(f"drop schema {identifier(schema)} cascade")
            prepare(connection)
        rewrite_file(part, copy, config, crm, lambda _: None)
        shutil.copystat(database, copy)
        copy.chmod(0o600)
    finally:
        part.unlink(missing_ok=True)


def take_over(database: Path, crm: Crm) -> None:
    """Replaces the database with a copy of the published one. The caller must hold the lock.

    Raises:
        OSError: For example, the disk is full. The database has not changed.
    """
    _copy(published_path(database, crm), database)


def _copy(source: Path, target: Path) -> None:
    unfinished = target.with_suffix(".unfinished")
    try:
        with source.open("rb") as read, unfinished.open("wb") as written:
            shutil.copyfileobj(read, written, 2**20)
            written.flush()
            os.fsync(written.fileno())
        # The copy has the database's modification time, which later shows whether it is up to date.
        shutil.copystat(source, unfinished)
        unfinished.chmod(0o600)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
