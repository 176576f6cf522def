"""Confirm that the configured URL is the new address of the CRM whose records are stored."""

from argparse import Namespace

from crm_assets.errors import SettingsError
from crm_assets.loading.sync_log import accept_address, loaded_from
from crm_assets.settings import resolve_settings
from crm_assets.warehouse.warehouse import Warehouse


def run(arguments: Namespace) -> int:
    """Stores the configured base URL as the address that the records came from."""
    crm = arguments.crm
    base_url = resolve_settings(crm).base_url
    if base_url is None:
        raise SettingsError("No CRM is configured: set its new address and key first")
    warehouse = Warehouse().of(crm)
    with warehouse.read_connection() as connection:  # fails if there is no database
        known = loaded_from(connection)
    if known is not None:
        with warehouse.get_connection() as connection:
            accept_address(connection, base_url)
    print(f"{warehouse.name} now holds the records of {base_url}")
    return 0
