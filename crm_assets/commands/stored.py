"""Commands about the stored tables."""

import json
import os
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterator
from pathlib import Path

import duckdb

from crm_assets.api import ENDPOINTS
from crm_assets.commands import Add
from crm_assets.errors import SettingsError, counted
from crm_assets.settings import resolve_settings, setting_name
from crm_assets.settings.finding import NOT_FOR_TABLES
from crm_assets.warehouse.copies import CURRENT, move_tables, publish_parquet
from crm_assets.warehouse.sharing import writer_lock
from crm_assets.warehouse.tables import PRESENT, RAW, can_be_read, existing_tables, relation
from crm_assets.warehouse.warehouse import Warehouse

LAYERS = ("raw", "seeds", "staging", "intermediate", "snapshots", "marts")
"""The project's own schemas in the order of the data flow. Others follow, such as those of a user's models."""


def add_commands(add: Add) -> None:
    """Adds the commands."""
    about = "print JSON: the warehouse, and the rows of each table"
    add(tables).add_argument("--json", action="store_true", help=about)
    add(publish).add_argument("--parquet", metavar="FOLDER", type=_folder, help="where to write Parquet files")
    confirming = add(confirm)
    confirming.add_argument("resource", metavar="RESOURCE", choices=ENDPOINTS, help=f"one of {', '.join(ENDPOINTS)}")
    confirming.add_argument("--dry-run", action="store_true", help="only show what would vanish")
    add(accept_address)
    about = "the DuckDB file (default: that of the CRM in the data directory, such as crm.duckdb)"
    add(move_to_lake).add_argument("file", metavar="FILE", nargs="?", type=Path, help=about)


def tables(arguments: Namespace) -> int:
    """Show the warehouse's tables, their row counts and the path of the database."""
    warehouse = Warehouse().of(arguments.crm)
    with warehouse.read_connection() as connection:
        rows_of = dict(_rows(connection))
    if arguments.json:
        print(json.dumps({"warehouse": warehouse.name, "tables": rows_of}, indent=2))
        return 0
    width = max(map(len, ["table", *rows_of]))
    print(f"{'table':<{width}}  {'rows':>9}")
    for name, rows in rows_of.items():
        print(f"{name:<{width}}  {'broken' if rows is None else f'{rows:,}':>9}")
    print(f"\n{warehouse.name}")
    return 0


def _rows(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, int | None]]:
    """The name of each table, and its rows; None for a view that reads a missing table."""
    hidden = (f"{PRESENT}.", f"{RAW}._dlt")
    tables = sorted(address for address in existing_tables(connection) if not address.startswith(hidden))
    ranks = {layer: rank for rank, layer in enumerate(LAYERS)}
    for address in sorted(tables, key=lambda address: ranks.get(address.partition(".")[0], len(LAYERS))):
        rows = None
        if can_be_read(connection, relation(address)):
            [[rows]] = connection.execute(f"select count(*) from {relation(address)}").fetchall()
        yield address, rows


def publish(arguments: Namespace) -> int:
    """Publish the current state of all tables.

    Without a folder, the published copy of a DuckDB file is made, as in the last step of a run. With one, all tables
    and views are also written as Parquet files into FOLDER/current, for readers without DuckDB. manifest.json there
    lists them.
    """
    warehouse = Warehouse().of(arguments.crm)
    with warehouse.read_connection():
        pass  # fails if there is no database
    where = warehouse.publish().where
    print(f"Published: {where}")
    if arguments.parquet is None:
        return 0
    from crm_assets.loading.sync_log import loaded_from

    # The copy of a file, so that no run waits for this.
    source = Warehouse(database=where) if Path(where).exists() else warehouse
    with source.read_connection() as connection:
        crm = loaded_from(connection) or ""
        try:
            tables = publish_parquet(connection, arguments.parquet.absolute(), crm)["tables"]
        except OSError as error:
            raise SettingsError(f"{error}. Give --parquet a folder that can be written to") from None
    rows = sum(table["rows"] for table in tables)
    print(f"{counted(len(tables), 'table')}, {counted(rows, 'row')}: {arguments.parquet / CURRENT}")
    return 0


def _folder(text: str) -> Path:
    # An empty text, as of a variable that is not set, would be the working folder.
    if not text.strip():
        raise ArgumentTypeError("the name of the folder is empty")
    if "://" in text:
        raise ArgumentTypeError("this is an address: name a folder, and copy it there")
    return Path(os.path.expanduser(text))  # noqa: PTH111 # shells leave the ~ of --parquet=~/folder; `Path` may raise


def confirm(arguments: Namespace) -> int:
    """Confirm that rows are gone that the last full read lacked.

    A full read that lacks most of the rows shown before counts as incomplete: the models keep these rows. Another full
    read that finds the same makes it complete, and so does this command.
    """
    # Imported here, as below: it imports dlt, which takes half a second, and `tables` is the most used command.
    from crm_assets.loading import changes

    resource, warehouse = arguments.resource, Warehouse().of(arguments.crm)
    with warehouse.read_connection() as connection:  # fails if there is no database
        found = changes.unconfirmed(connection, resource)
    if found is None:
        raise SettingsError(f"{resource}: there is nothing to confirm. No full read lacked most of the rows")
    print(
        f"{resource}: {found.missing:,} of {found.rows:,} rows vanish from the models, since the full read "
        f"{found.doubted} did not list them. They stay in raw.{resource}"
    )
    if arguments.dry_run:
        return 0
    with warehouse.get_connection() as connection:
        changes.confirm(connection, resource)
    print("Confirmed. Build the models, or wait for the next run")
    return 0


def accept_address(arguments: Namespace) -> int:
    """Confirm that the configured URL is the new address of the CRM whose records are stored."""
    from crm_assets.loading import sync_log

    settings = resolve_settings(arguments.crm, NOT_FOR_TABLES)
    if settings.is_sandbox:
        raise SettingsError("No CRM is configured: set its new address and key first")
    warehouse = Warehouse().of(arguments.crm)
    with warehouse.read_connection() as connection:  # fails if there is no database
        known = sync_log.loaded_from(connection)
    if known is not None:
        with warehouse.get_connection() as connection:
            sync_log.accept_address(connection, settings.source)
    print(f"{warehouse.name} now holds the records of {settings.source}")
    return 0


def move_to_lake(arguments: Namespace) -> int:
    """Copy all tables of a DuckDB file into the lake that CRM_WAREHOUSE is set to, and compare every value.

    The file is not changed. Materialize the models afterwards: views are not copied.
    """
    from crm_assets.loading.sync_log import loaded_from

    settings = resolve_settings(arguments.crm, NOT_FOR_TABLES)
    if settings.is_sandbox:
        raise SettingsError(
            "No CRM is configured, and the sandbox's records are not moved: set the CRM's URL and key first"
        )
    file: Path = arguments.file or settings.data_dir / f"{arguments.crm.section}.duckdb"
    source, warehouse = Warehouse(database=str(file)), Warehouse().of(arguments.crm)
    if warehouse.lake is None:
        raise SettingsError(
            f"CRM_WAREHOUSE is {warehouse.name}. Set it to a lake: ducklake:postgres:dbname=lake host=db"
        )
    with source.read_connection() as connection:  # fails unless it is a database
        loaded = loaded_from(connection) or settings.source
    if loaded != settings.source:
        raise SettingsError(
            f"{file} holds the records of {loaded}, but {setting_name('base_url')} is {settings.source}. "
            "Records of two CRMs must not mix. If it is the same CRM at a new address, set the earlier one until they "
            "are moved"
        )
    with writer_lock(file, warehouse.lock_wait, print), warehouse.get_connection() as connection:
        warehouse.lake.probe(connection)
        moved = move_tables(connection, file)
    for address, rows in moved.items():
        print(f"{rows:>12,}  {address}")
    print(f"\n{warehouse.name} has the same values as {file}: all were compared")
    return 0
