"""The tables of the page: their columns, how these are written, and which metric defines them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm_assets.reports.figures import Row, Rows, SalesReview
from crm_assets.reports.formats import EXACT, ratio


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


def titled(title: str, *columns: Column) -> tuple[str, Sequence[Column]]:
    """The title of a table and its columns."""
    return title, columns


COLUMNS: Mapping[str, tuple[str, Sequence[Column]]] = {
    "target": titled(
        "Won against target",
        Column("period", "period", "text"),
        Column("won_amount", "won", "amount", "Won to date"),
        Column("target_to_date", "target to date", "amount", "Target to date"),
        Column("attainment", "attained", "share", "Attainment"),
        Column("ahead", "ahead", "change", "Target to date"),
        Column("target_amount", "target", "amount", "Target"),
    ),
    "months": titled(
        "Won by month, against target",
        Column("month", "month", "month"),
        Column("won_amount", "won", "amount", "Won to date"),
        Column("target_amount", "target", "amount", "Target"),
    ),
    "week": titled(
        "Compared with a week or more before",
        Column("figure", "figure", "text"),
        Column("value", "now", "amount"),
        Column("change", "change", "change"),
    ),
    "owners": titled(
        "Won this year by owner, against target to date",
        Column("owner", "owner", "text"),
        Column("won_amount", "won this month", "amount", "Won to date"),
        Column("attainment", "attained this month", "share", "Attainment"),
        Column("won_amount_this_year", "won this year", "amount", "Won this year"),
        Column("target_this_year", "target this year", "amount", "Target this year"),
        Column("attainment_this_year", "attained this year", "share", "Attainment this year"),
    ),
    "types": titled(
        "Won in the last 12 months by revenue type",
        Column("revenue_type", "type", "text", "Revenue type"),
        Column("won_amount_12m", "won in 12 months", "amount", "Won in 12 months"),
        Column("share", "share", "share", "Won in 12 months"),
        Column("won_amount_prior_12m", "12 months before", "amount", "Won in the 12 months before"),
    ),
    "customers": titled(
        "The largest customers of the last 12 months",
        Column("customer", "customer", "text"),
        Column("owner", "owner", "text"),
        Column("won_amount_12m", "won in 12 months", "amount", "Won in 12 months"),
        Column("won_amount_prior_12m", "12 months before", "amount", "Won in the 12 months before"),
        Column("cumulative_share_12m", "cumulative share", "share", "Concentration"),
    ),
    "retention": titled(
        "Customers who bought again",
        Column("first_quarter", "first deal in", "quarter"),
        Column("quarters_since", "quarters since", "count"),
        Column("customers", "customers", "count", "Customers"),
        Column("customers_buying", "of these, buying", "count", "Retention"),
        Column("share_buying", "share", "share", "Retention"),
    ),
    "quiet": titled(
        "Quiet customers, by won amount",
        Column("customer", "customer", "text"),
        Column("owner", "owner", "text"),
        Column("won_amount", "won so far", "amount", "Won amount"),
        Column("last_activity_on", "last activity", "day", "Last activity"),
        Column("days_quiet", "days quiet", "count", "Days quiet"),
        Column("open_tasks", "open tasks", "count", "Open tasks"),
    ),
    "backlog": titled(
        "Open tasks by owner",
        Column("owner", "owner", "text"),
        Column("overdue_tasks", "overdue", "count", "Overdue tasks"),
        Column("due_this_week", "due within 7 days", "count", "Due within 7 days"),
        Column("due_later", "due later", "count", "Due later"),
        Column("without_due_date", "without a date", "count", "Without a due date"),
    ),
    "meetings": titled(
        "Meetings by week",
        Column("week", "week from", "week"),
        Column("meetings", "meetings", "count", "Meetings"),
    ),
    "quality": titled(
        "Data checks",
        Column("check_name", "check", "text", "Check of the data"),
        Column("failing", "failing", "count", "Records failing"),
        Column("checked", "checked", "count", "Records checked"),
        Column("share", "share", "share", "Data quality"),
        Column("amount_affected", "amount affected", "amount", "Amount affected"),
    ),
    "reads": titled(
        "Last complete read of each list",
        Column("list", "list", "text"),
        Column("read_at", "read", "instant"),
    ),
}
"""Name of a table -> its title and its columns."""

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
        for name, (title, columns) in COLUMNS.items()
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
