"""Copies of all tables: in another warehouse, with every value compared, or as Parquet files for other engines.

The Parquet files are written aside, then swapped as a whole. Those of a lake are not for other engines: only its
catalog tells which rows of which files are valid.
"""

import json
import os
import re
import shutil
import stat
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
from filelock import FileLock

from crm_assets.errors import SettingsError, WarehouseError
from crm_assets.warehouse.duckdb_messages import reason
from crm_assets.warehouse.private_files import private_files
from crm_assets.warehouse.tables import (
    PRESENT,
    REPLACED,
    can_be_read,
    columns_of,
    comment,
    identifier,
    literal,
    statements_of,
    stored_tables,
    with_lake_types,
    with_parquet_types,
)
from crm_assets.warehouse.transactions import committed, rolled_back

SQL = statements_of(__file__)

FILE = "moved_file"
"""The catalog name under which the file is attached."""


def move_tables(connection: duckdb.DuckDBPyConnection, file: Path) -> dict[str, int]:
    """Copies all tables of a file, in one transaction that is committed only if all values are equal.

    Returns the address of each table, and its number of rows.

    Of the views, only those of schema `present` are copied: models create the others. Primary keys and defaults, which
    the project's tables do not have, are not copied.

    Args:
        connection: The warehouse, for writing, without other writers.
        file: A DuckDB file without writers.

    Raises:
        WarehouseError: The warehouse already has one of the tables, with other rows, or cannot store a value.
    """
    return committed(connection, partial(_move, connection, file))


def _move(connection: duckdb.DuckDBPyConnection, file: Path) -> dict[str, int]:
    # After a failed transaction it is not attached any more. A lake without tables is used with one thread.
    connection.execute(f"attach {literal(str(file))} as {FILE} (read_only); reset threads")
    found = connection.execute(SQL["tables"]).fetchall()
    taken = {(schema, table) for schema, table, _ in found} & {row[:2] for row in stored_tables(connection)}
    if not taken:
        for row in found:
            _copy_table(connection, *row)
        connection.execute(f"create schema if not exists {PRESENT}")
        for (statement,) in connection.execute(SQL["present_views"]).fetchall():
            connection.execute(statement)
    try:
        return {f"{schema}.{table}": _compared(connection, schema, table) for schema, table, _ in found}
    except (duckdb.BinderException, duckdb.CatalogException, WarehouseError):
        if not taken:
            raise
        # All values are equal if an earlier call was killed after its commit.
        listed = ", ".join(sorted(".".join(address) for address in taken))
        raise WarehouseError(
            f"the warehouse already has tables with these names: {listed}. Use an empty warehouse"
        ) from None


def _copy_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str, description: str | None) -> None:
    name = identifier(schema, table)
    try:
        select = with_lake_types(connection, f"select * from {FILE}.{name}")
        connection.execute(f"create schema if not exists {identifier(schema)}")
        stored = connection.execute(f"describe {FILE}.{name}").fetchall()
        required = {column for column, _, nullable, *_ in stored if nullable == "NO"}
        columns = ", ".join(
            f"{identifier(column)} {type_}{' not null' if column in required else ''}"
            for column, type_ in columns_of(connection, f"({select})").items()
        )
        connection.execute(f"create table {name} ({columns})")
        connection.execute(f"insert into {name} {select}")
    except duckdb.IOException:  # of the disk or the storage
        raise
    except duckdb.Error as error:
        raise WarehouseError(f"the warehouse cannot store {schema}.{table}: {reason(error)}") from None
    if description:
        of_columns = dict(connection.execute(SQL["comments"], [schema, table]).fetchall())
        comment(connection, "table", (schema, table), description, of_columns, stored=dict.fromkeys(of_columns, ""))


def _compared(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> int:
    """Compares all values of a table with those of the file. Returns its number of rows."""
    name = identifier(schema, table)
    select = with_lake_types(connection, f"select * from {FILE}.{name}")
    [[different]] = connection.execute(
        f"select count(*) from (({select} except all from {name}) union all (from {name} except all {select}))"
    ).fetchall()
    [[rows]] = connection.execute(f"select count(*) from {name}").fetchall()
    if different:
        raise WarehouseError(f"{different:,} rows of {schema}.{table} differ after copying")
    return int(rows)


CURRENT, MANIFEST = "current", "manifest.json"

VERSION = re.compile(r"\d{8}T\d{12}Z")
"""The name of a version's folder: a time, UTC. Nothing else in the folder is removed."""

WRITTEN = {**REPLACED, "JSON": "varchar"}
"""Type -> the one that is written instead. Polars reads Parquet's JSON as bytes."""


def publish_parquet(connection: duckdb.DuckDBPyConnection, folder: Path, source: str) -> dict[str, Any]:
    """Writes all tables and views into a new folder in `folder`, and points the link `current` to it.

    The version before stays, for readers that are at it; earlier ones and those of killed processes are removed. The
    files are for the same people as the folder. One that does not exist is made for its owner alone.

    Args:
        connection: Its default catalog has the tables. All are written as of one snapshot.
        folder: A local folder.
        source: Which CRM's tables they are.

    Returns:
        The manifest: when, of which CRM and loads, and each table's file, rows, and columns with their types in
        DuckDB. Views that read missing tables are not in it.

    Raises:
        OSError: For example, the disk is full. `current` has not changed.
        SettingsError: The folder has the tables of another CRM.
        WarehouseError: Parquet cannot hold the values of a column exactly. `current` has not changed.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with private_files(), FileLock(folder / ".lock"):
        current, link = folder / CURRENT, folder / f".{CURRENT}"
        before = current.readlink().name if current.is_symlink() else ""
        manifest = current / MANIFEST
        try:
            other = json.loads(manifest.read_text("utf-8"))["source"] if manifest.exists() else source
        except (ValueError, LookupError, TypeError):
            raise SettingsError(
                f"{manifest} is damaged: whose tables these are is unknown. Delete it, or give --parquet another folder"
            ) from None
        if other != source:
            raise SettingsError(
                f"{folder} has the tables of {other}, not of {source}. Give --parquet another folder, or delete it"
            )
        # First, or each further killed process would leave its files.
        for other in folder.iterdir():
            if VERSION.fullmatch(other.name) and other.name != before:
                shutil.rmtree(other)
        written_at = datetime.now(timezone.utc)
        version = folder / f"{written_at:%Y%m%dT%H%M%S%fZ}"
        version.mkdir()
        try:
            written = {"written_at": written_at.isoformat(), "source": source, **_written(connection, version)}
            (version / MANIFEST).write_text(json.dumps(written, indent=1), encoding="utf-8")
            for path in (*version.iterdir(), version):
                path.chmod(stat.S_IMODE(folder.stat().st_mode) & (0o777 if path.is_dir() else 0o666))
        except BaseException:
            shutil.rmtree(version)
            raise
        os.sync()  # after a power failure, `current` must not lead to files that were never written
        link.unlink(missing_ok=True)
        link.symlink_to(version.name)
        link.replace(current)
    return written


def _written(connection: duckdb.DuckDBPyConnection, version: Path) -> dict[str, Any]:
    tables = [
        (schema, name)
        for schema, name, kind in stored_tables(connection)
        if kind != "view" or can_be_read(connection, identifier(schema, name))
    ]
    with rolled_back(connection):
        loads = dict(connection.execute(SQL["loads"]).fetchall()) if ("raw", "sync_log") in tables else {}
        return {"loads": loads, "tables": [_written_table(connection, *table, version) for table in tables]}


def _written_table(connection: duckdb.DuckDBPyConnection, schema: str, name: str, version: Path) -> dict[str, Any]:
    address = f"{schema}.{name}"
    file = version / f"{quote(address, safe=' ')}.parquet"
    original = f"from {identifier(schema, name)}"
    try:
        select = with_parquet_types(connection, original, WRITTEN)
        copied = f"copy ({select}) to {literal(str(file))} (format parquet, compression zstd)"
        [[rows]] = connection.execute(copied).fetchall()
    except duckdb.Error as error:  # a view's SELECT may run only now
        if str(file) in str(error):
            raise OSError(reason(error)) from None
        cut = "to DECIMAL(38,0)" in str(error)
        problem = "Parquet cannot hold an integer of more than 38 digits" if cut else reason(error)
        raise WarehouseError(f"{address}: {problem}") from None
    stored = columns_of(connection, f"read_parquet({literal(str(file))}, hive_partitioning = false)")
    for column, type_ in columns_of(connection, f"({select})").items():
        if type_ != stored[column]:
            raise WarehouseError(
                f"{address}: Parquet cannot hold {column}, which is {type_}. Cast it in the model's SQL"
            )
    columns = [{"name": name, "type": type_} for name, type_ in columns_of(connection, f"({original})").items()]
    return {"table": address, "file": file.name, "rows": rows, "columns": columns}
