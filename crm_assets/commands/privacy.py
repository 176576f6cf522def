"""Commands about personal data."""

import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from crm_assets.api import ENDPOINTS, ID
from crm_assets.commands import Add, add_answers, is_confirmed
from crm_assets.errors import CrmAssetsError, counted
from crm_assets.privacy import applying
from crm_assets.privacy.forgetting import forgotten_ids, undo
from crm_assets.runner.loading import load_models
from crm_assets.settings import Crm, resolve_settings
from crm_assets.source.http.page import integer_at
from crm_assets.warehouse.transactions import commits_noted
from crm_assets.warehouse.warehouse import Warehouse


def add_commands(add: Add) -> None:
    """Adds the commands."""
    forgetting, resources = add(forget), ", ".join(ENDPOINTS)
    forgetting.add_argument("resource", metavar="RESOURCE", nargs="?", choices=ENDPOINTS, help=f"one of {resources}")
    forgetting.add_argument("ids", metavar="ID", nargs="*", type=_id, help="the id of a record in the CRM")
    what = add_answers(forgetting)
    what.add_argument("--list", action="store_true", help="show how many ids were forgotten, and when")
    what.add_argument("--undo", action="store_true", help="let reads load these ids again, which were never stored")
    add_answers(add(apply_policy))


def forget(arguments: Namespace) -> int:
    """Erase records for good, wherever they are stored.

    Shows what will be erased, and asks. Later reads skip the records, even if the CRM still lists them: salted hashes
    of their ids are kept, also of ids that are not stored. References to them in other records remain, such as the
    target of a task.
    """
    warehouse, resource, ids = Warehouse().of(arguments.crm), arguments.resource, set(arguments.ids)
    if arguments.list:
        return _list(warehouse)
    if not ids:
        raise CrmAssetsError("Name a resource and at least one id, such as: forget contacts 123. Or add --list")
    if arguments.undo:
        return _undo(warehouse, resource, ids)
    models = load_models()
    stored, out_of_reach, unknown = applying.records_to_forget(warehouse, models, resource, ids)
    print(f"{resource}: {len(stored.ids)} of {counted(len(ids), 'record')} stored")
    for address, rows in stored.rows.items():
        if rows:
            print(f"{address}: {counted(rows, 'row')}")
    if missing := ", ".join(map(str, sorted(ids - {*stored.ids}))):
        print(f"Not stored, but will be skipped when the CRM lists them: {missing}. Are they right?")
    for address in out_of_reach:
        print(
            f"{address} keeps rows of earlier builds that may hold values of the records, and no column tells which. "
            "Materialize it afterwards with full_refresh: true, which rebuilds it without its earlier rows, and call "
            "this again, which erases them from the files"
        )
    if unknown:
        print(f"Left alone, as no model makes them: {', '.join(unknown)}. Drop first what has values of the records")
    if not is_confirmed(arguments, "Erase these records for good, and never load them again?"):
        print("Nothing was erased")
        return 0
    with _finished_later(arguments.crm):
        erased = applying.forget_records(warehouse, resolve_settings(arguments.crm), models, resource, ids)
    print(f"Erased {counted(sum(erased.rows.values()), 'row')}. No record with these ids will be loaded again")
    return 0


@contextmanager
def _finished_later(crm: Crm) -> Iterator[None]:
    """Says what finishes the body if it fails after its first commit, which has removed values from the tables."""
    with commits_noted() as commits:
        try:
            yield
        except Exception:
            if commits.confirmed:
                print(
                    "The tables have changed, but removed values may still be in files, and reads are refused until "
                    f"they are erased. When what follows is solved, run: {crm.command('apply-policy')}",
                    file=sys.stderr,
                )
            raise


def _id(text: str) -> int:
    # Spelled as reads accept it: `1_0` must not erase record 10.
    id_ = integer_at({ID: text}, ID)
    if id_ is None:
        raise ArgumentTypeError(f"{text!r} is not a 64-bit integer, so no record has it")
    return id_


def _list(warehouse: Warehouse) -> int:
    with warehouse.read_connection() as connection:
        found = forgotten_ids(connection)
    for resource, at, ids, stored in found:
        print(f"{at:%Y-%m-%d %H:%M:%S} UTC  {resource}: {counted(ids, 'id')}, {stored:,} stored")
    if not found:
        print("No id is forgotten")
    return 0


def _undo(warehouse: Warehouse, resource: str, ids: Collection[int]) -> int:
    with warehouse.read_connection():
        pass  # fails if there is no database
    with warehouse.get_connection() as connection:
        undone = undo(connection, resource, ids)
    print(f"{resource}: {undone} of {counted(len(ids), 'id')} had been forgotten. The next full read loads them")
    return 0


def apply_policy(arguments: Namespace) -> int:
    """Give stored data the configured policy of personal data.

    Shows what it changes and destroys, and asks. Until then, reads are refused after a change of `personal_data`, of
    its key, or of the fields that it keeps. If it is stopped, call it again: it goes on.
    """
    crm = arguments.crm
    warehouse, settings, models = Warehouse().of(crm), resolve_settings(crm), load_models()
    pending = applying.pending_change(warehouse, settings, models)
    if not pending:
        print(f"Stored data follow personal_data {settings.personal_data.value}: there is nothing to change")
        return 0
    print("\n".join(pending))
    if not is_confirmed(arguments, "Change the stored data, for good?"):
        print("Nothing was changed")
        return 0
    with _finished_later(crm):
        applying.apply_policy(warehouse, settings, models, print)
    print("Done. No file with tables holds the removed values any more")
    return 0
