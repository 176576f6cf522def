"""Erase records for good, wherever they are stored: python -m crm_assets forget contacts 123 456.

Later reads skip them, even if the CRM still lists them: salted hashes of their ids are kept, also of ids that are not
stored. References to them in other records remain, such as the target of a task.
"""

from argparse import ArgumentParser, Namespace

from crm_assets.assets.personal_data import forget_records
from crm_assets.commands.choosing import ONE, add_crm_option, chosen_crm
from crm_assets.settings import resolve_settings
from crm_assets.source.api import ENDPOINTS
from crm_assets.sql_models.loading import load_models
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets.warehouse.working_folders import remove_leftovers


def add_arguments(parser: ArgumentParser) -> None:
    """Adds a resource, ids and the CRM."""
    parser.add_argument("resource", metavar="RESOURCE", choices=ENDPOINTS, help=f"one of {', '.join(ENDPOINTS)}")
    parser.add_argument("ids", metavar="ID", nargs="+", type=int, help="the id of a record in the CRM")
    add_crm_option(parser, ONE)


def run(arguments: Namespace) -> int:
    """Erases the records and prints how many were found."""
    crm = chosen_crm(arguments)
    warehouse, ids = Warehouse().of(crm), set(arguments.ids)
    erased = forget_records(warehouse, resolve_settings(crm), load_models(), arguments.resource, ids)
    remove_leftovers(warehouse.working_folder)
    found = erased.rows.get(f"raw.{arguments.resource}", 0)
    print(f"{arguments.resource}: {found} of {len(ids)} records were stored; none of them will be loaded again")
    for address, rows in erased.rows.items():
        if rows:
            print(f"{crm.named(address)}: {rows} rows erased")
    return 0
