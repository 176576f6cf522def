"""Show the warehouse's tables, their row counts and the path of the database."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import zip_longest

import duckdb

from crm_assets.commands.choosing import add_crm_option, chosen_crms
from crm_assets.errors import SettingsError
from crm_assets.settings import Crm, resolve_settings
from crm_assets.warehouse.schemas import belong_to, existing_tables, schemas_of
from crm_assets.warehouse.warehouse import Warehouse

LAYERS = ("raw", "seeds", "staging", "snapshots", "marts")
"""The schemas that are shown, in the order of the data flow."""


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the CRM."""
    add_crm_option(parser)


def run(arguments: Namespace) -> int:
    """Prints the tables in two columns, to fit on a screen."""
    crms = chosen_crms(arguments)
    warehouse = Warehouse().of(_one_with_settings(crms))
    with warehouse.read_connection() as connection:
        counted = [row for crm in crms for row in _counted(connection, crm)]
    width = max((len(name) for name, _ in counted), default=5)
    cells = [f"{name:<{width}}  {rows:>9,}" for name, rows in counted]
    title = f"{'table':<{width}}  {'rows':>9}"
    half = (len(cells) + 1) // 2
    print()
    for left, right in [(title, title), *zip_longest(cells[:half], cells[half:], fillvalue="")]:
        print(f"{left}    {right}".rstrip())
    print(f"\n{warehouse.name}")
    return 0


def _one_with_settings(crms: Sequence[Crm]) -> Crm:
    """A CRM whose settings name the warehouse that all share: the first one, unless its settings are incomplete."""
    for crm in crms[:-1]:
        with suppress(SettingsError):
            resolve_settings(crm)
            return crm
    return crms[-1]


def _counted(connection: duckdb.DuckDBPyConnection, crm: Crm) -> Iterator[tuple[str, int]]:
    """The name of each table of a CRM, and its rows."""
    belong_to(connection, crm)
    schemas = schemas_of(connection)
    tables = [address for address in existing_tables(connection) if "._dlt" not in address]
    for layer in LAYERS:
        for address in sorted(address for address in tables if address.startswith(f"{layer}.")):
            [[rows]] = connection.execute(f"select count(*) from {schemas.relation(address)}").fetchall()
            yield crm.named(address), rows
