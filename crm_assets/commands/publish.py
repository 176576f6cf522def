"""Publish the current state of all tables: crm-assets publish --parquet FOLDER.

Without a folder, the published copy of a DuckDB file is made, as in the last step of a run. With one, all tables and
views are also written as Parquet files into FOLDER/current, for readers without DuckDB. manifest.json there lists them.
"""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from crm_assets.errors import SettingsError
from crm_assets.warehouse.parquet import CURRENT, publish_parquet
from crm_assets.warehouse.warehouse import Warehouse


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the folder."""
    parser.add_argument("--parquet", metavar="FOLDER", type=_folder, help="where to write Parquet files")


def _folder(text: str) -> Path:
    """A folder. An empty text, as of a variable that is not set, would be the working folder.

    Raises:
        ArgumentTypeError: It is empty.
    """
    if not text.strip():
        raise ArgumentTypeError("the name of the folder is empty")
    return Path(text)


def run(arguments: Namespace) -> int:
    """Publishes, and prints where."""
    warehouse = Warehouse().of(arguments.crm)
    with warehouse.read_connection():
        pass  # fails if there is no database
    where = warehouse.publish().where
    print(f"Published: {where}")
    if arguments.parquet is None:
        return 0
    # The copy of a file, so that no run waits for this.
    source = Warehouse(database=where) if Path(where).exists() else warehouse
    try:
        with source.read_connection() as connection:
            tables = publish_parquet(connection, arguments.parquet.absolute())["tables"]
    except OSError as error:
        raise SettingsError(f"{error}. Give --parquet a folder that can be written to") from None
    rows = sum(table["rows"] for table in tables)
    print(f"{len(tables)} tables, {rows:,} rows: {arguments.parquet / CURRENT}")
    return 0
