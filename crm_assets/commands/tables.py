"""Show the warehouse's tables, their row counts and the path of the database."""

from argparse import ArgumentParser, Namespace
from itertools import zip_longest

from crm_assets.warehouse.warehouse import Warehouse

TABLES = """
select table_schema, table_name
from information_schema.tables
where table_schema in ('raw', 'seeds', 'staging', 'snapshots', 'marts') and table_name not like '\\_dlt%' escape '\\'
order by position(table_schema in 'raw seeds staging snapshots marts'), table_name
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Adds no arguments."""


def run(_: Namespace) -> int:
    """Prints the tables in two columns, to fit on a screen."""
    warehouse = Warehouse()
    with warehouse.read_connection() as connection:
        tables = connection.execute(TABLES).fetchall()
        counted = [
            (f"{schema}.{table}", connection.execute(f'select count(*) from "{schema}"."{table}"').fetchone())
            for schema, table in tables
        ]
    width = max((len(name) for name, _ in counted), default=5)
    cells = [f"{name:<{width}}  {row[0] if row else 0:>9,}" for name, row in counted]
    title = f"{'table':<{width}}  {'rows':>9}"
    half = (len(cells) + 1) // 2
    print()
    for left, right in [(title, title), *zip_longest(cells[:half], cells[half:], fillvalue="")]:
        print(f"{left}    {right}".rstrip())
    print(f"\n{warehouse.name}")
    return 0
