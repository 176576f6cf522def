"""The page of the sales review, one HTML file that needs no network, no scripts and no other files; its CSV files."""

import csv
from calendar import monthrange
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from io import StringIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from crm_assets.errors import NothingStored, counted
from crm_assets.masking import masked
from crm_assets.reports.figures import EXACT, Formats, SalesReview, half_up, ratio
from crm_assets.reports.tables import DECLARED, HEADLINE, Column, Table, chart, tables_of
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


TEMPLATES = Environment(
    loader=PackageLoader("crm_assets.reports", "sales_review"),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
TEMPLATES.globals |= {"counted": counted, "half_up": half_up, "ratio": ratio}


def answers(review: SalesReview, formats: Formats) -> Mapping[str, str]:
    """Question -> its answer in sentences with numbers, in the page's order."""
    today = review["headline"][0]["snapshot_date"]
    last_of_month = today.replace(day=monthrange(today.year, today.month)[1])
    context = {"review": review, "formats": formats, "last_of_month": last_of_month}
    module: Any = TEMPLATES.get_template("answers.txt").make_module(context)
    lines = {question: answer().split("\n") for question, answer in module.questions.items()}
    return {question: " ".join(filter(None, (line.strip(" ") for line in found))) for question, found in lines.items()}


def render(review: SalesReview, formats: Formats, definitions: Mapping[str, str], source: str, folder: str) -> str:
    """The page as HTML.

    Args:
        review: The figures.
        formats: How figures are written.
        definitions: Metric -> what it means, as in docs/metrics.md.
        source: Where the figures come from, shown to the reader.
        folder: The name of the folder beside the page that has the tables as CSV files.
    """
    tables = tables_of(review)

    def write(column: Column, value: object) -> str:
        return str(getattr(formats, column.kind)(value))

    metrics = {column.metric for table in tables.values() for column in table.columns} | {*HEADLINE.values()}
    return TEMPLATES.get_template("page.html").render(
        review=review,
        answers=answers(review, formats),
        tables=tables,
        charts={name: chart(tables[name], **drawn["chart"]) for name, drawn in DECLARED.items() if "chart" in drawn},
        definitions={metric: definitions[metric] for metric in sorted(metrics & definitions.keys())},
        folder=folder,
        formats=formats,
        source=source,
        write=write,
    )
