"""Confirm that rows are gone that the last full read lacked: crm-assets confirm open_tasks.

A full read that lacks most of the rows shown before counts as incomplete: the models keep these rows. Another full read
that finds the same makes it complete, and so does this command.
"""

from argparse import ArgumentParser, Namespace

from crm_assets.api import ENDPOINTS
from crm_assets.errors import SettingsError
from crm_assets.loading.present import confirm, unconfirmed
from crm_assets.warehouse.warehouse import Warehouse


def add_arguments(parser: ArgumentParser) -> None:
    """Adds a resource, and whether to show only."""
    parser.add_argument("resource", metavar="RESOURCE", choices=ENDPOINTS, help=f"one of {', '.join(ENDPOINTS)}")
    parser.add_argument("--dry-run", action="store_true", help="only show what would vanish")


def run(arguments: Namespace) -> int:
    """Shows how many rows vanish, and confirms it."""
    resource, warehouse = arguments.resource, Warehouse().of(arguments.crm)
    with warehouse.read_connection() as connection:  # fails if there is no database
        found = unconfirmed(connection, resource)
    if found is None:
        raise SettingsError(f"{resource}: there is nothing to confirm. No full read lacked most of the rows")
    print(
        f"{resource}: {found.missing:,} of {found.rows:,} rows vanish from the models, since the full read "
        f"{found.load_id} did not list them. They stay in raw.{resource}"
    )
    if arguments.dry_run:
        return 0
    with warehouse.get_connection() as connection:
        confirm(connection, resource)
    print("Confirmed. Build the models, or wait for the next run")
    return 0
