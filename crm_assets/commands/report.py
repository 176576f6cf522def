"""Open the sales review in the browser."""

import webbrowser
from argparse import ArgumentParser, Namespace

from crm_assets.reports.files import page_path
from crm_assets.settings import resolve_settings


def add_arguments(parser: ArgumentParser) -> None:
    """Adds an option not to open the page."""
    parser.add_argument("--no-open", action="store_true", help="only print its path")


def run(arguments: Namespace) -> int:
    """Prints the path of the page that the asset `reports/sales_review` wrote, and opens it."""
    settings = resolve_settings()
    page = page_path(settings.data_dir, of_sandbox=settings.is_sandbox)
    if not page.exists():
        raise FileNotFoundError(f"{page} does not exist yet: materialize the asset reports/sales_review (make report)")
    print(page)
    if not arguments.no_open:
        webbrowser.open(page.as_uri())
    return 0
