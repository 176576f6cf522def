"""The rows that the tables of the sales review should have, counted from the marts."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from crm_assets_tests.models.reckoning import (
    Record,
    fiscal_year_from,
    grouped,
    half_up,
    months_later,
    quarter_of,
    share,
    total,
)
from crm_assets_tests.reports.invented import LISTS, Reported

NAMES = {1: "Ada", 2: "Ada", 3: "Bob", 4: "unassigned", 5: "Ada", 6: "Cy & <Co>"}
APRIL = 4


def year_from(reported: Reported) -> date:
    return fiscal_year_from(reported.today, APRIL)


def summed(rows: Iterable[Record], column: str) -> Any:
    return total(row[column] for row in rows if row[column] is not None)


def picked(row: Record, *columns: str) -> Record:
    """Some columns, with shares rounded."""
    shares = {name for name in columns if "share" in name and row[name] is not None}
    return {name: half_up(row[name], 4) if name in shares else row[name] for name in columns}


def owner_of(row: Record) -> str:
    return str(row["owner_name"] or row["owner_id"] or "unassigned")


def labelled(rows: list[Record]) -> Iterator[tuple[str, Record]]:
    """Rows of owners, each with the owner's name. Two users of one name have their ids as well."""
    names = [row["owner_name"] or row["owner"] for row in rows]
    for name, row in zip(names, rows, strict=True):
        yield f"{name} ({row['owner']})" if names.count(name) > 1 else name, row


def target(reported: Reported) -> Iterator[Record]:
    months = reported.marts["owner_month"]
    periods = {
        "this month": [row for row in months if row["month"] == reported.this_month],
        "this year": [row for row in months if row["fiscal_year_from"] == year_from(reported)],
    }
    for period, rows in periods.items():
        amount, due = summed(rows, "won_amount_to_date"), summed(rows, "target_to_date")
        yield {
            "period": period,
            "won_amount": amount,
            "target_to_date": due,
            "attainment": share(amount, due),
            "ahead": amount - due,
            "target_amount": summed(rows, "target_amount"),
        }


def months(reported: Reported) -> Iterator[Record]:
    of_month = grouped(reported.marts["owner_month"], "month")
    for ago in range(23, -1, -1):
        month = months_later(reported.this_month, -ago)
        rows = of_month.get(month, [])
        yield {
            "month": month,
            "won_amount": summed(rows, "won_amount_to_date"),
            "target_amount": summed(rows, "target_amount") or None,
        }


FIGURES = {
    "Won in 30 days": "won_amount_30_days",
    "Deals won in 30 days": "won_deals_30_days",
    "Open deals": "crm_open_deals_amount",
    "Meetings in 30 days": "appointments_30_days",
    "Open tasks": "open_tasks",
    "Overdue tasks": "overdue_tasks",
    "Accounts": "accounts",
    "Contacts": "contacts",
}


def week(reported: Reported) -> Iterator[Record]:
    days = {row["snapshot_date"]: row for row in reported.marts["pipeline_health_daily"]}
    before = days[max(day for day in days if day <= reported.today - timedelta(days=7))]
    for figure, column in FIGURES.items():
        value = days[reported.today][column]
        yield {"figure": figure, "value": value, "change": value - before[column]}


def owners(reported: Reported) -> Iterator[Record]:
    rows = [
        row
        for row in reported.marts["owner_month"]
        if row["month"] == reported.this_month and (row["won_deals_this_year"] or row["target_this_year"] is not None)
    ]
    for label, row in labelled(sorted(rows, key=lambda row: (-row["won_amount_this_year"], row["owner"]))):
        yield {
            "owner": label,
            "won_amount": row["won_amount_to_date"],
            "attainment": share(row["won_amount_to_date"], row["target_to_date"]),
            "won_amount_this_year": row["won_amount_this_year"],
            "target_this_year": row["target_this_year"],
            "attainment_this_year": share(row["won_amount_this_year"], row["target_this_year"]),
        }


def types(reported: Reported) -> Iterator[Record]:
    deals = reported.marts["won_deal_overview"]
    ends = [months_later(reported.today, -12 * years) for years in range(3)]
    years = [
        grouped((deal for deal in deals if first < deal["won_on"] <= last), "revenue_type")
        for last, first in pairwise(ends)
    ]
    everything = total(summed(of_type, "won_amount") for of_type in years[0].values())
    for name in ("first", "repeat", "won back", None):
        this, last = (summed(of_year.get(name, []), "won_amount") for of_year in years)
        yield {
            "revenue_type": name or "unknown",
            "won_amount_12m": this,
            "share": share(this, everything),
            "won_amount_prior_12m": last,
        }


def customers(reported: Reported) -> Iterator[Record]:
    ranked = [row for row in reported.marts["customer_value"] if row["revenue_rank_12m"]]
    for row in sorted(ranked, key=lambda row: row["revenue_rank_12m"])[:10]:
        amounts = picked(row, "won_amount_12m", "won_amount_prior_12m", "cumulative_share_12m")
        yield {"customer": row["account_name"], "owner": owner_of(row), **amounts}


def retention(reported: Reported) -> Iterator[Record]:
    first = months_later(quarter_of(reported.today), -21)
    rows = [
        row
        for row in reported.marts["customer_retention_quarterly"]
        if row["first_quarter"] >= first and row["quarter"] <= reported.today
    ]
    for row in sorted(rows, key=lambda row: (row["first_quarter"], row["quarters_since"])):
        yield picked(row, "first_quarter", "quarters_since", "customers", "customers_buying", "share_buying")


def paying(reported: Reported) -> list[Record]:
    """The accounts that have brought something."""
    rows = reported.marts["account_overview"]
    return [row for row in rows if row["account_id"] is not None and row["won_amount"] > 0]


def quiet(reported: Reported) -> Iterator[Record]:
    rows = [row for row in paying(reported) if row["last_activity_on"] and row["days_quiet"] > 90]
    for row in sorted(rows, key=lambda row: (-row["won_amount"], row["account_id"]))[:15]:
        shown = picked(row, "won_amount", "last_activity_on", "days_quiet", "open_tasks")
        yield {"customer": row["account_name"], "owner": owner_of(row), **shown}


def backlog(reported: Reported) -> Iterator[Record]:
    rows = sorted(
        reported.marts["task_backlog"], key=lambda row: (-row["overdue_tasks"], -row["open_tasks"], row["owner"])
    )
    shown = defaultdict[str, Counter[str]](Counter)
    for place, (label, row) in enumerate(labelled(rows)):
        for column in ("overdue_tasks", "due_this_week", "due_later", "without_due_date"):
            shown[label if place < 12 else f"{len(rows) - 12} other owners"][column] += row[column]
    for owner, counts in shown.items():
        yield {"owner": owner, **counts}


def meetings(reported: Reported) -> Iterator[Record]:
    of_week = grouped(reported.marts["meeting_activity_weekly"], "week")
    monday = reported.today - timedelta(days=reported.today.weekday())
    for week in (monday - timedelta(weeks=weeks) for weeks in range(25, -1, -1)):
        yield {"week": week, "meetings": sum(row["meetings"] for row in of_week.get(week, []))}


def quality(reported: Reported) -> Iterator[Record]:
    def rank(row: Record) -> tuple[Any, ...]:
        return row["share"] is None, -(row["share"] or 0), -row["failing"], row["check_name"]

    for row in sorted(reported.marts["data_quality"], key=rank):
        yield picked(row, "check_name", "failing", "checked", "share", "amount_affected")


def reads(reported: Reported) -> Iterator[Record]:
    for name in LISTS:
        yield {"list": name.replace("_", " "), "read_at": reported.read_at if name == "accounts" else None}


TABLES: dict[str, Callable[[Reported], Iterable[Record]]] = {
    expected.__name__: expected
    for expected in (
        target, months, week, owners, types, customers, retention, quiet, backlog, meetings, quality, reads
    )
}  # fmt: skip
