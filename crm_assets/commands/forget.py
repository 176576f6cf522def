"""Erase records for good, wherever they are stored.

Shows what will be erased, and asks. Later reads skip the records, even if the CRM still lists them: salted hashes of
their ids are kept, also of ids that are not stored. References to them in other records remain, such as the target of a
task.
"""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Collection

from crm_assets.api import ENDPOINTS, ID
from crm_assets.commands import add_answers, is_confirmed
from crm_assets.errors import CrmAssetsError, counted
from crm_assets.privacy.applying import forget_records, records_to_forget, tables_out_of_reach
from crm_assets.privacy.forgetting import Stored, forgotten_ids, undo
from crm_assets.runner.loading import load_models
from crm_assets.settings import resolve_settings
from crm_assets.source.http.page import integer_at
from crm_assets.warehouse.warehouse import Warehouse


def add_arguments(parser: ArgumentParser) -> None:
    """Adds a resource, ids, and what to do with them."""
    resources = ", ".join(ENDPOINTS)
    parser.add_argument("resource", metavar="RESOURCE", nargs="?", choices=ENDPOINTS, help=f"one of {resources}")
    parser.add_argument("ids", metavar="ID", nargs="*", type=_id, help="the id of a record in the CRM")
    what = add_answers(parser)
    what.add_argument("--list", action="store_true", help="show how many ids were forgotten, and when")
    what.add_argument("--undo", action="store_true", help="let reads load these ids again, which were never stored")


def run(arguments: Namespace) -> int:
    """Does what the options say; without any, asks before it erases."""
    crm = arguments.crm
    warehouse, resource, ids = Warehouse().of(crm), arguments.resource, set(arguments.ids)
    if arguments.list:
        return _list(warehouse)
    if not ids:
        raise CrmAssetsError("Name a resource and at least one id, such as: forget contacts 123. Or add --list")
    if arguments.undo:
        return _undo(warehouse, resource, ids)
    models = load_models()
    _show(resource, ids, records_to_forget(warehouse, models, resource, ids))
    for address in tables_out_of_reach(warehouse, models, resource):
        print(
            f"{address} keeps rows of earlier builds that may hold values of the records, and no column tells which. "
            "Materialize it afterwards with full_refresh: true, which rebuilds it without its earlier rows, and call "
            "this again, which erases them from the files"
        )
    if not is_confirmed(arguments, "Erase these records for good, and never load them again?"):
        print("Nothing was erased")
        return 0
    erased = forget_records(warehouse, resolve_settings(crm), models, resource, ids)
    print(f"Erased {counted(sum(erased.rows.values()), 'row')}. No record with these ids will be loaded again")
    return 0


def _id(text: str) -> int:
    """The id of a record, spelled as reads accept it: `1_0` must not erase record 10.

    Raises:
        ArgumentTypeError: It is none.
    """
    id_ = integer_at({ID: text}, ID)
    if id_ is None:
        raise ArgumentTypeError(f"{text!r} is not a 64-bit integer, so no record has it")
    return id_


def _show(resource: str, ids: Collection[int], stored: Stored) -> None:
    print(f"{resource}: {len(stored.ids)} of {counted(len(ids), 'record')} stored")
    for address, rows in stored.rows.items():
        if rows:
            print(f"{address}: {counted(rows, 'row')}")
    if missing := sorted({*ids} - {*stored.ids}):
        print(
            f"Not stored, but will be skipped when the CRM lists them: {', '.join(map(str, missing))}. Are they right?"
        )


def _list(warehouse: Warehouse) -> int:
    with warehouse.read_connection() as connection:
        found = forgotten_ids(connection)
    for group in found:
        print(
            f"{group.at:%Y-%m-%d %H:%M:%S} UTC  {group.resource}: {counted(group.ids, 'id')}, {group.stored:,} stored"
        )
    if not found:
        print("No id is forgotten")
    return 0


def _undo(warehouse: Warehouse, resource: str, ids: Collection[int]) -> int:
    with warehouse.read_connection():
        pass  # fails if there is no database
    with warehouse.get_connection() as connection:
        undone = undo(connection, resource, ids)
    print(f"{resource}: {undone} of {len(ids)} ids were forgotten. The next full read loads what the CRM lists of them")
    return 0
