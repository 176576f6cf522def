"""Open the sales review in the browser."""

import webbrowser
from argparse import ArgumentParser, Namespace

from crm_assets.reports.page import stored_page
from crm_assets.settings import resolve_settings


def add_arguments(parser: ArgumentParser) -> None:
    """Adds an option not to open the page."""
    parser.add_argument("--no-open", action="store_true", help="only print its path")


def run(arguments: Namespace) -> int:
    """Prints the path of the page that the asset `reports/sales_review` wrote, and opens it."""
    page = stored_page(resolve_settings(arguments.crm), arguments.crm)
    print(page)
    if not arguments.no_open:
        webbrowser.open(page.as_uri())
    return 0
