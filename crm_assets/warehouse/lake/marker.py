"""Marks where a lake keeps its files with the id of its catalog, and checks that both can be written to.

Maintenance removes all files that the catalog does not know, so two lakes must not share a folder or a bucket's prefix.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile

import duckdb
import tenacity

from crm_assets.errors import WarehouseError
from crm_assets.warehouse.tables import literal
from crm_assets.warehouse.transactions import rolled_back

MARKER = "crm_assets_lake.json"
"""The marker's name. Its id is empty while the catalog is created. DuckLake removes Parquet files only."""

ID = "select schema_uuid::varchar from {catalog}.ducklake_schema where schema_id = 0"
"""DuckLake gives the schema `main` of each catalog a UUID. A backup of the catalog has the same."""

PROBE = "crm_assets_probe"
"""Begins the name of a table that is created and rolled back. DuckLake writes its file, and deletes it."""

NOT_FOUND = 404

CHANGED = "ETag on reading file"
"""In DuckDB's message about an object that was replaced between its two requests."""


def mark_new(connection: duckdb.DuckDBPyConnection, files: str) -> None:
    """Marks a place before a catalog is created, unless a lake has files in, above or below it.

    Nobody may do so meanwhile.

    Raises:
        WarehouseError: It belongs to a lake, so a new catalog must not use it.
        duckdb.HTTPException: Object storage refused, or has no such bucket.
        OSError: The folder cannot be written to.
    """
    marked = read_marker(connection, files)
    for levels in range(1, files.count("/")):
        with suppress(duckdb.HTTPException):  # the keys may be for this place only
            marked = marked or read_marker(connection, files.rsplit("/", levels)[0])
    if marked or _has_markers_below(connection, files):
        raise WarehouseError(
            f"{files} holds the files of a lake with another catalog. Correct CRM_WAREHOUSE, or give this lake files "
            "elsewhere in CRM_WAREHOUSE_FILES. Nothing was written"
        )
    write_marker(connection, files, "")


def _has_markers_below(connection: duckdb.DuckDBPyConnection, files: str) -> bool:
    if "://" not in files:
        return any(Path(files).glob(f"*/**/{MARKER}"))
    found = connection.execute(f"select count(*) from glob({literal(f'{files}/*/**/{MARKER}')})").fetchone()
    return found != (0,)


def claim(connection: duckdb.DuckDBPyConnection, files: str, catalog: str) -> None:
    """Checks that the place of the files belongs to the attached lake, and marks it if nobody has.

    Args:
        connection: A connection with the lake attached.
        files: A folder, or `s3://bucket/crm`.
        catalog: The quoted schema of the catalog's own tables.

    Raises:
        WarehouseError: It belongs to another lake.
    """
    [[id_]] = connection.execute(ID.format(catalog=catalog)).fetchall()
    marked = read_marker(connection, files)
    if not marked:
        write_marker(connection, files, id_)
    elif marked != id_:
        raise WarehouseError(
            f"{files} holds the files of another lake, which would be deleted. Give each lake files elsewhere in "
            "CRM_WAREHOUSE_FILES. Nothing was written"
        )


def write_and_delete_file(connection: duckdb.DuckDBPyConnection, files: str) -> None:
    """Writes a file and deletes it. Takes no longer if there are more files.

    Raises:
        WarehouseError: It could be written, but not deleted.
        duckdb.HTTPException: Object storage refused.
        OSError: The folder cannot be written to.
    """
    if "://" not in files:
        with TemporaryFile(dir=files):
            return
    table = f"{PROBE}_{token_hex(4)}"  # a file that a killed process has left is in the folder of another one
    connection.begin()
    try:
        connection.execute(f"create table main.{table} as select 1 as i")
    except duckdb.Error:
        with suppress(duckdb.Error):  # the first error is reported
            connection.rollback()
        raise
    try:
        connection.rollback()
        [[left]] = connection.execute(f"select count(*) from glob({literal(f'{files}/main/{table}/*')})").fetchall()
    except duckdb.IOException as error:
        left = any(status in str(error) for status in ("Forbidden", "Method Not Allowed", "Not Implemented"))
        if not left:
            raise
    if left:
        raise WarehouseError(
            f"A file in {files}/main/{table} could not be deleted. A lake removes files that it does not need: let "
            "the storage, and the keys in AWS_ACCESS_KEY_ID, delete and list objects. Nothing was read or written"
        )


def write_and_delete_row(connection: duckdb.DuckDBPyConnection, catalog: str) -> None:
    """Writes a row to a lake's catalog and deletes it, in a transaction that is rolled back.

    Raises:
        duckdb.Error: The catalog refused.
    """
    table = f"{catalog}.ducklake_metadata"
    with rolled_back(connection):
        connection.execute(f"insert into {table} (key, value) values ('{PROBE}', '')")
        connection.execute(f"delete from {table} where key = '{PROBE}'")


@tenacity.retry(
    # The process that creates the lake may write its id at this moment.
    retry=tenacity.retry_if_exception(lambda error: isinstance(error, duckdb.HTTPException) and CHANGED in str(error)),
    stop=tenacity.stop_after_attempt(10),
    wait=tenacity.wait_fixed(0.1),
    reraise=True,
)
def read_marker(connection: duckdb.DuckDBPyConnection, files: str) -> str:
    """The id in the marker; empty if there is none.

    Raises:
        WarehouseError: It is no marker, as when a console answers in place of the storage.
        duckdb.HTTPException: Object storage refused.
    """
    if "://" not in files:
        marker = (Path(files) / MARKER).resolve()  # a folder before .. may be missing
        found = [(marker.read_text("utf-8"),)] if marker.exists() else []
    else:
        try:
            found = connection.execute(f"select content from read_text({literal(f'{files}/{MARKER}')})").fetchall()
        except duckdb.HTTPException as error:
            if error.status_code == NOT_FOUND:
                return ""
            raise
    try:
        return "".join(str(json.loads(text)["lake"]) for (text,) in found)
    except (ValueError, LookupError, TypeError):
        raise WarehouseError(
            f"{files}/{MARKER} is not what a lake writes there. Check CRM_WAREHOUSE_FILES and, for a bucket, whether "
            "AWS_ENDPOINT_URL is the address of an S3 API, not that of its console. Nothing was written"
        ) from None


def write_marker(connection: duckdb.DuckDBPyConnection, files: str, id_: str) -> None:
    """Writes the id of a lake, or an empty one, to the marker."""
    if "://" not in files:
        Path(files).mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = Path(files) / f".{MARKER}.{os.getpid()}"
        unfinished.write_text(json.dumps({"lake": id_}), "utf-8")
        unfinished.replace(Path(files) / MARKER)  # whole for whoever reads it, and if the disk is full
        return
    connection.execute(f"copy (select {literal(id_)} as lake) to {literal(f'{files}/{MARKER}')} (format json)")
