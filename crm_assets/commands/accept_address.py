"""Take what is loaded for records of the configured CRM, which has moved to another address."""

from argparse import ArgumentParser, Namespace

from crm_assets.settings import resolve_settings
from crm_assets.source.errors import SettingsError
from crm_assets.warehouse.sync_log import accept_address, loaded_from
from crm_assets.warehouse.warehouse import Warehouse


def add_arguments(parser: ArgumentParser) -> None:
    """Takes none."""


def run(_: Namespace) -> int:
    """Notes the configured base URL as the one that the records came from."""
    base_url = resolve_settings().base_url
    if base_url is None:
        raise SettingsError("No CRM is configured: set its new address and key first")
    warehouse = Warehouse()
    with warehouse.read_connection() as connection:  # there has to be a database
        known = loaded_from(connection)
    if known is not None:
        with warehouse.get_connection() as connection:
            accept_address(connection, base_url)
    print(f"{warehouse.name} holds the records of {base_url} from now on")
    return 0
