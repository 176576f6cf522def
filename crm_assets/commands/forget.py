"""Erase records for good, wherever they are kept: python -m crm_assets forget contacts 123 456.

The next read does not bring them back, even while the CRM still lists them: salted hashes of their ids are kept. Ids
that are not found are remembered as well. In other records the ids remain: a task's target, say.
"""

from argparse import ArgumentParser, Namespace

from crm_assets.assets.personal_data import forget_records
from crm_assets.settings import resolve_settings
from crm_assets.source.api import ENDPOINTS
from crm_assets.sql_models.loading import load_models
from crm_assets.warehouse.landing import remove_leftovers
from crm_assets.warehouse.warehouse import Warehouse


def add_arguments(parser: ArgumentParser) -> None:
    """Takes a resource and ids."""
    parser.add_argument("resource", metavar="RESOURCE", choices=ENDPOINTS, help=f"one of {', '.join(ENDPOINTS)}")
    parser.add_argument("ids", metavar="ID", nargs="+", type=int, help="the id that the CRM knows a record by")


def run(arguments: Namespace) -> int:
    """Erases, and prints what was found."""
    warehouse, ids = Warehouse(), set(arguments.ids)
    erased = forget_records(warehouse, resolve_settings(), load_models(), arguments.resource, ids)
    remove_leftovers(warehouse.working_folder)
    found = erased.rows.get(f"raw.{arguments.resource}", 0)
    print(f"{arguments.resource}: {found} of {len(ids)} records were there; none of them will be loaded again")
    for address, rows in erased.rows.items():
        if rows:
            print(f"{address}: {rows} rows erased")
    return 0
