"""The tables of the page: their columns, how these are written, and which metric defines them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import yaml

from crm_assets.reports.figures import QUERIES, Row, Rows, SalesReview
from crm_assets.reports.formats import EXACT, ratio
from crm_assets.yaml_files import FAST_SAFE_LOADER


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name in the rows and in the CSV file.
        label: Its heading.
        kind: The method of `Formats` that writes its values.
        metric: The metric in docs/metrics.md that defines it; empty if it has no figures.
    """

    name: str
    label: str
    kind: str
    metric: str = ""

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, which are aligned to the right."""
        return self.kind in {"amount", "count", "share", "change"}


@dataclass(frozen=True)
class Table:
    """A table of the page, and a CSV file.

    Attributes:
        name: The name of the file.
        title: What it shows.
        columns: Its columns.
        rows: Its rows.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Rows


@cache
def declared_tables() -> Mapping[str, tuple[str, Sequence[Column]]]:
    """Name of a table -> its title and its columns, as in `sales_review/tables.yaml`."""
    declared = yaml.load((QUERIES / "tables.yaml").read_bytes(), Loader=FAST_SAFE_LOADER)  # noqa: S506 # a safe one
    return {
        name: (table["title"], [Column(column, *given) for column, given in table["columns"].items()])
        for name, table in declared.items()
    }


HEADLINE: Mapping[str, str] = {
    "won_amount_30_days": "Won in 30 days",
    "won_deals_30_days": "Deals won in 30 days",
    "crm_open_deals_amount": "Open deals",
    "appointments_30_days": "Meetings in 30 days",
    "open_tasks": "Open tasks",
    "overdue_tasks": "Overdue tasks",
    "accounts": "Accounts",
    "contacts": "Contacts",
}
"""Number of `pipeline_health_daily` -> its metric."""


def tables_of(review: SalesReview) -> Mapping[str, Table]:
    """The tables of a review, in the page's order."""
    parts = {**review.parts, "week": _week(review)}
    return {
        name: Table(name, title, columns, [{**row, **_shares(row, parts[name])} for row in parts[name]])
        for name, (title, columns) in declared_tables().items()
    }


def _week(review: SalesReview) -> Rows:
    """The numbers of the latest build, with their changes since a week or more before."""
    now, *before = review.parts["headline"]
    return [
        {
            "figure": metric,
            "value": now[name],
            "change": EXACT.subtract(now[name], before[0][name]) if before else None,
        }
        for name, metric in HEADLINE.items()
    ]


def _shares(row: Row, rows: Rows) -> Row:
    """The shares that follow from a row's figures."""
    found = {}
    if "target_to_date" in row:
        found["attainment"] = ratio(row["won_amount"], row["target_to_date"])
    if "target_this_year" in row:
        found["attainment_this_year"] = ratio(row["won_amount_this_year"], row["target_this_year"])
    if "revenue_type" in row:
        found["share"] = ratio(row["won_amount_12m"], sum(each["won_amount_12m"] for each in rows))
    return found
