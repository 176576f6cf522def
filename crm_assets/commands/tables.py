"""Show the warehouse's tables, their row counts and the path of the database."""

import json
import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from itertools import zip_longest

import duckdb

from crm_assets.warehouse.names import PRESENT, RAW, can_be_read, existing_tables, relation
from crm_assets.warehouse.warehouse import Warehouse

LAYERS = ("raw", "seeds", "staging", "intermediate", "snapshots", "marts")
"""The project's own schemas in the order of the data flow. Others follow, such as those of a user's models."""


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the format."""
    parser.add_argument("--json", action="store_true", help="print JSON: the warehouse, and the rows of each table")


def run(arguments: Namespace) -> int:
    """Prints the tables, in two columns if the terminal is wide enough."""
    warehouse = Warehouse().of(arguments.crm)
    with warehouse.read_connection() as connection:
        counted = list(_counted(connection))
    if arguments.json:
        print(json.dumps({"warehouse": warehouse.name, "tables": dict(counted)}, indent=2))
        return 0
    width = max((len(name) for name, _ in counted), default=5)
    cells = [f"{name:<{width}}  {'broken' if rows is None else f'{rows:,}':>9}" for name, rows in counted]
    title = f"{'table':<{width}}  {'rows':>9}"
    half = (len(cells) + 1) // 2 if shutil.get_terminal_size().columns > 2 * (len(title) + 2) else len(cells)
    titles = (title, title if half < len(cells) else "")
    print()
    for left, right in [titles, *zip_longest(cells[:half], cells[half:], fillvalue="")]:
        print(f"{left}    {right}".rstrip())
    print(f"\n{warehouse.name}")
    return 0


def _counted(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, int | None]]:
    """The name of each table, and its rows; None for a view that reads a missing table."""
    hidden = (f"{PRESENT}.", f"{RAW}._dlt")
    tables = sorted(address for address in existing_tables(connection) if not address.startswith(hidden))
    ranks = {layer: rank for rank, layer in enumerate(LAYERS)}
    for address in sorted(tables, key=lambda address: ranks.get(address.partition(".")[0], len(LAYERS))):
        rows = None
        if can_be_read(connection, relation(address)):
            [[rows]] = connection.execute(f"select count(*) from {relation(address)}").fetchall()
        yield address, rows
