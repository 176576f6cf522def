"""Where reports are, and how they are written."""

import csv
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from io import StringIO
from pathlib import Path

from crm_assets.errors import NothingStored
from crm_assets.masking import masked
from crm_assets.reports.figures import SalesReview
from crm_assets.reports.formats import EXACT, Formats
from crm_assets.reports.page import render
from crm_assets.reports.tables import Column, Table, tables_of
from crm_assets.settings import Crm, CrmSettings

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")
"""What a text begins with that a spreadsheet would take for a formula; the last four are wide signs, as in Japanese."""


SHARES = Decimal("0.0001")
"""Shares have four digits, as in the marts."""


def page_path(settings: CrmSettings, crm: Crm) -> Path:
    """The path of a CRM's page. The sandbox's page has a different name, so that it is not mistaken for the CRM's."""
    name = "sandbox_sales_review" if settings.is_sandbox else crm.named("sales_review")
    return settings.data_dir / "reports" / f"{name}.html"


def stored_page(settings: CrmSettings, crm: Crm) -> Path:
    """The path of a CRM's page.

    Raises:
        NothingStored: It was not written yet.
    """
    page = page_path(settings, crm)
    if not page.exists():
        asset = "/".join(crm.path("reports.sales_review"))
        raise NothingStored(f"{page} does not exist yet. This makes it: crm-assets run {asset}")
    return page


def csv_folder(page: Path) -> Path:
    """The folder with the tables of a page, as CSV files."""
    return page.with_suffix("")


def write_review(
    page: Path, review: SalesReview, formats: Formats, definitions: Mapping[str, str], source: str
) -> None:
    """Writes a page and its CSV files. `definitions` and `source`: as for `render`.

    Raises:
        OSError: A file cannot be written.
    """
    folder = csv_folder(page)
    write_privately(page, masked(render(review, formats, definitions, source, folder.name)))
    for table in tables_of(review).values():
        write_privately(folder / f"{table.name}.csv", masked(csv_text(table)))


def csv_text(table: Table) -> str:
    """A table as CSV, with exact figures. It begins with a mark by which spreadsheets know that it is UTF-8."""
    text = StringIO("\ufeff")
    text.seek(1)
    writer = csv.writer(text)
    writer.writerow([column.name for column in table.columns])
    writer.writerows([_cell(column, row[column.name]) for column in table.columns] for row in table.rows)
    return text.getvalue()


def _cell(column: Column, value: object) -> object:
    if isinstance(value, Decimal):
        exact = value.quantize(SHARES, ROUND_HALF_UP, EXACT) if column.kind == "share" else value
        exact = EXACT.add(exact, Decimal(0))  # never -0
        whole, _, fraction = f"{exact:f}".partition(".")
        return f"{whole}.{fraction}".rstrip("0").rstrip(".") if fraction else whole
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def write_privately(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, and replaces the old one atomically.

    Raises:
        OSError: The file cannot be written. The old one is still there.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    try:
        unfinished.touch(mode=0o600)
        unfinished.write_text(text, encoding="utf-8", newline="")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
