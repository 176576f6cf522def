"""`python -m crm_assets`: shows the warehouse's tables, their row counts and where the database file lies."""

import argparse
import sys

from crm_assets.settings import resolve_settings
from crm_assets.source.errors import SettingsError
from crm_assets.warehouse.sync_log import accept_address, loaded_from
from crm_assets.warehouse.warehouse import Warehouse

TABLES = """
select table_schema, table_name
from information_schema.tables
where table_schema in ('raw', 'staging', 'marts') and table_name not like '\\_dlt%' escape '\\'
order by position(table_schema in 'raw staging marts'), table_name
"""


def show_tables() -> None:
    """Prints the tables."""
    warehouse = Warehouse()
    with warehouse.read_connection() as connection:
        tables = connection.execute(TABLES).fetchall()
        counted = [
            (f"{schema}.{table}", connection.execute(f'select count(*) from "{schema}"."{table}"').fetchone())
            for schema, table in tables
        ]
    width = max((len(name) for name, _ in counted), default=5)
    print(f"\n{'table':<{width}}  {'rows':>9}")
    for name, row in counted:
        print(f"{name:<{width}}  {row[0] if row else 0:>9,}")
    print(f"\n{warehouse.path}")


def accept_configured_address() -> None:
    """Takes what is loaded for records of the configured CRM, which has moved to another address."""
    base_url = resolve_settings().base_url
    if base_url is None:
        raise SettingsError("No CRM is configured: set its new address and key first")
    warehouse = Warehouse()
    with warehouse.read_connection() as connection:  # there has to be a database
        known = loaded_from(connection)
    if known is not None:
        with warehouse.get_connection() as connection:
            accept_address(connection, base_url)
    print(f"{warehouse.path} holds the records of {base_url} from now on")


COMMANDS = {"tables": show_tables, "accept-address": accept_configured_address}


def main() -> int:
    """Runs a command; returns the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m crm_assets", description=__doc__)
    parser.add_argument("command", nargs="?", choices=COMMANDS, default="tables", help="(default: %(default)s)")
    try:
        COMMANDS[parser.parse_args().command]()
    except (FileNotFoundError, SettingsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
