"""Copy all tables of a DuckDB file into the lake that CRM_WAREHOUSE is set to, and compare every value.

The file is not changed. Materialize the models afterwards: views are not copied.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from crm_assets.errors import SettingsError
from crm_assets.loading.sync_log import loaded_from
from crm_assets.settings import resolve_settings, setting_name
from crm_assets.settings.secrets import url
from crm_assets.warehouse.lake.moving import move_tables
from crm_assets.warehouse.lock import writer_lock
from crm_assets.warehouse.warehouse import Warehouse


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the file."""
    parser.add_argument(
        "file", nargs="?", type=Path, help="the DuckDB file (default: crm.duckdb in the data directory)"
    )


def run(arguments: Namespace) -> int:
    """Copies the tables and lists them."""
    settings = resolve_settings()
    if settings.is_sandbox:
        raise SettingsError(
            "No CRM is configured, and the sandbox's records are not moved: set the CRM's URL and key first"
        )
    file: Path = arguments.file or settings.data_dir / "crm.duckdb"
    source, warehouse = Warehouse(database=str(file)), Warehouse()
    if warehouse.lake is None:
        raise SettingsError(
            f"CRM_WAREHOUSE is {warehouse.name}. Set it to a lake: ducklake:postgres:dbname=lake host=db"
        )
    with source.read_connection() as connection:  # fails unless it is a database
        loaded = loaded_from(connection) or settings.source
    if loaded != settings.source:
        raise SettingsError(
            f"{file} holds the records of {url(loaded).shown}, but {setting_name('base_url')} is {settings.source}. "
            "Records of two CRMs must not mix. If it is the same CRM at a new address, set the earlier one until they "
            "are moved"
        )
    warehouse.lake.probe()
    with writer_lock(file, warehouse.lock_wait, print), warehouse.get_connection() as connection:
        moved = move_tables(connection, file)
    for table in moved:
        print(f"{table.rows:>12,}  {table.address}")
    print(f"\n{warehouse.name} has the same values as {file}: all were compared")
    return 0
