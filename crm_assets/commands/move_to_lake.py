"""Copy all tables of a DuckDB file into the lake that CRM_WAREHOUSE names, and compare every value.

The file stays as it is. Materialize the models afterwards: views are not copied.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from crm_assets.settings import resolve_settings
from crm_assets.source.errors import SettingsError
from crm_assets.warehouse.lock import writer_lock
from crm_assets.warehouse.moving import move_tables
from crm_assets.warehouse.warehouse import Warehouse


def add_arguments(parser: ArgumentParser) -> None:
    """Takes the file."""
    parser.add_argument(
        "file", nargs="?", type=Path, help="the DuckDB file (default: crm.duckdb in the data directory)"
    )


def run(arguments: Namespace) -> int:
    """Moves the tables and lists them."""
    settings = resolve_settings()
    if settings.is_sandbox:
        raise SettingsError(
            "No CRM is configured, and generated records are not worth moving: set its URL and key first"
        )
    file: Path = arguments.file or settings.data_dir / "crm.duckdb"
    source, lake = Warehouse(database=str(file)), Warehouse()
    if lake.name == source.name:
        raise SettingsError("CRM_WAREHOUSE is the file itself. Set it to a lake: ducklake:postgres:dbname=lake host=db")
    with source.read_connection():
        pass  # it is there, and a database
    lake.check()
    with writer_lock(file, lake.lock_wait, print), lake.get_connection() as connection:
        moved = move_tables(connection, file)
    for table in moved:
        print(f"{table.rows:>12,}  {table.address}")
    print(f"\n{lake.name} holds what {file} holds: every value was compared")
    return 0
