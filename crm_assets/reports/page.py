"""The page of the sales review: one HTML file that needs no network, scripts or other files."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from jinja2 import Environment, PackageLoader, select_autoescape

from crm_assets.reports.charts import Chart
from crm_assets.reports.figures import Headline, SalesReview

HEADLINE: Mapping[str, tuple[str, str]] = {
    "won_amount_30_days": ("won in 30 days", "company's currency"),
    "won_deals_30_days": ("deals won in 30 days", ""),
    "crm_open_deals_amount": ("in open deals", "company's currency"),
    "appointments_30_days": ("meetings in 30 days", ""),
    "open_tasks": ("open tasks", ""),
    "overdue_tasks": ("overdue tasks", ""),
    "accounts": ("accounts", ""),
    "contacts": ("contacts", ""),
}
"""Name of a headline number -> its label and its unit, in the page's order."""


@dataclass(frozen=True)
class Number:
    """One headline number: its value, and its change since the previous report (None: not known)."""

    label: str
    unit: str
    value: int | Decimal
    change: int | Decimal | None


def numbers(review: SalesReview, before: Headline | None) -> list[Number]:
    """The headline numbers, compared with those of an earlier report."""
    known = before.numbers if before else {}
    return [
        Number(label, unit, review.headline[name], review.headline[name] - known[name] if name in known else None)
        for name, (label, unit) in HEADLINE.items()
    ]


def render(review: SalesReview, charts: list[Chart], before: Headline | None, source: str) -> str:
    """The page as HTML.

    Args:
        review: The figures.
        charts: Their charts.
        before: The numbers to compare with.
        source: Where the figures come from, shown to the reader.
    """
    environment = Environment(
        loader=PackageLoader("crm_assets.reports", "sales_review"),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        review=review,
        charts=charts,
        numbers=numbers(review, before),
        compared_with=before and before.taken_at,
        source=source,
    )
