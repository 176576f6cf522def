"""Open the sales review in the browser."""

import webbrowser
from argparse import ArgumentParser, Namespace

from crm_assets.reports.page import page_path
from crm_assets.settings import resolve_settings


def add_arguments(parser: ArgumentParser) -> None:
    """Takes one: not to open it."""
    parser.add_argument("--no-open", action="store_true", help="only say where it lies")


def run(arguments: Namespace) -> int:
    """Opens the page that the asset `reports/sales_review` has written, and says where it lies."""
    settings = resolve_settings()
    page = page_path(settings.data_dir, of_sandbox=settings.is_sandbox)
    if not page.exists():
        raise FileNotFoundError(f"{page} does not exist yet: materialize the asset reports/sales_review (make report)")
    print(page)
    if not arguments.no_open:
        webbrowser.open(page.as_uri())
    return 0
