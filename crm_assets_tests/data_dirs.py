"""The data directory of a test, and its warehouse: a file in it, or a lake with `--warehouse lake`."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from crm_assets_tests.lake_servers import LakeServers, dsn_of

SERVERS: list[LakeServers] = []
"""Those that run while the tests of a lake do; empty while those of a file do."""

LAKES: dict[Path, dict[str, str]] = {}
"""Data directory -> the settings of its lake."""


def use_data_dir(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Sets a data directory, and its lake where lakes are tested."""
    monkeypatch.setenv("CRM_DATA_DIR", str(folder))
    for servers in SERVERS:
        if folder not in LAKES:
            LAKES[folder] = servers.new_lake()
        for name, value in LAKES[folder].items():
            monkeypatch.setenv(name, value)


def connected(
    database: Path | None = None, *, read_only: bool = True
) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """A connection to a warehouse by the path that a file would have; to the data directory's, unless one is given."""
    # After forget_the_machine, as all of the project.
    from crm_assets.warehouse.duckdb_file import DuckDBFile
    from crm_assets.warehouse.lake.address import LakeAddress
    from crm_assets.warehouse.lake.backend import Lake

    database = database or Path(os.environ["CRM_DATA_DIR"]) / "crm.duckdb"
    settings = LAKES.get(database.parent)
    if settings is None:
        return DuckDBFile(database, 10, {}, print).connected(read_only=read_only)
    name = "" if database.stem == "crm" else database.stem
    address = LakeAddress.of(settings["CRM_WAREHOUSE"], settings["CRM_WAREHOUSE_FILES"], name)
    return Lake(address, database.parent, 10, {}, print).connected(read_only=read_only, tables=["raw.of_tests"])


def empty_database(folder: Path) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """A connection to a database in memory, or to a data directory's lake."""
    return connected(folder / "crm.duckdb", read_only=False) if folder in LAKES else duckdb.connect()


def is_being_written(folder: Path) -> bool:
    """Whether somebody has locked a data directory's warehouse to write to it."""
    if folder not in LAKES:
        return (folder / "crm.duckdb.holder").exists()
    held = "select count(*) from pg_locks where locktype = 'advisory' and mode = 'ExclusiveLock' and granted"
    return catalog_rows(folder, held) != [(0,)]


def catalog_rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """What PostgreSQL answers, in the catalog of a data directory's lake."""
    with psycopg.connect(dsn_of(LAKES[folder]["CRM_WAREHOUSE"])) as connection:
        return connection.execute(sql.encode()).fetchall()


@contextmanager
def lakes_on(servers: LakeServers) -> Iterator[None]:
    """While the body runs, each data directory has a lake."""
    SERVERS.append(servers)
    try:
        yield
    finally:
        SERVERS.clear()
