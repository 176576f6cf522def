"""Each figure and each bar of the sales review, counted in Python from the records."""

import html
import re
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb
import pytest

from crm_assets.reports.charts import charts
from crm_assets.reports.figures import read_figures
from crm_assets.reports.page import HEADLINE, render
from crm_assets.runner.variables import report_in
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.reports.invented import OWNERS, Records, Reported, invented

MODELS = (
    "marts.account_overview",
    "marts.meeting_activity_weekly",
    "marts.pipeline_health_daily",
    "marts.task_backlog",
    "marts.owner_month",
)
ZONES = ["America/Los_Angeles", pytest.param("Pacific/Kiritimati", marks=pytest.mark.slow)]
NAMES = {1: "Ada", 2: "Ada", 3: "Bob", 4: "unassigned", 5: "Ada", 6: "Cy & <Co>"}
SI = {"": 1, "k": 10**3, "M": 10**6}


@pytest.fixture(scope="module", params=ZONES)
def reported(request: pytest.FixtureRequest) -> Reported:
    made = invented(ZoneInfo(request.param))
    tables = RawTables(duckdb.connect())
    report_in(tables.connection, made.zone.key)
    for resource in ("accounts", "contacts", "won_deals", "open_tasks", "past_appointments"):
        records: Records = getattr(made, resource)
        tables.add_each(resource, **{name: [record[name] for record in records] for name in records[0]})
    for user, name in NAMES.items():
        tables.side_load("users", user, display_name=name)
    tables.set_targets(*made.targets)
    tables.build(*MODELS)
    made.review = read_figures(tables.connection)
    tables.connection.close()
    drawn = charts(made.review)
    made.page = html.unescape(render(made.review, drawn, None, "a test"))
    made.drawn = {
        chart.name: [
            dict(part.split(": ", 1) for part in html.unescape(label).split("; "))
            for label in re.findall(r'aria-label="([^"]*)" role="graphics-symbol"', chart.svg)
        ]
        for chart in drawn
    }
    return made


def months(reported: Reported) -> list[date]:
    """The last 24 months, oldest first."""
    last = reported.today.year * 12 + reported.today.month - 1
    return [date(month // 12, month % 12 + 1, 1) for month in range(last - 23, last + 1)]


def revenue(reported: Reported) -> list[tuple[date, Decimal, int, int | None]]:
    """Month, won amount, won deals and target."""
    won, deals, targets = defaultdict[date, Decimal](Decimal), Counter[date](), Counter[date]()
    for deal in reported.won:
        month = deal["closed_date"].replace(day=1)
        won[month] += deal["base_currency_amount"]
        deals[month] += 1
    for month, _, amount in reported.targets:
        targets[month] += amount
    return [(month, won[month], deals[month], targets[month] or None) for month in months(reported)]


def backlog(reported: Reported) -> dict[tuple[str, str], int]:
    """Bar and age -> open tasks."""
    tasks = [task for task in reported.open_tasks if task["status"] == 0]
    ranked = [owner for owner, _ in Counter(task["owner_id"] for task in tasks).most_common()]
    assert len(ranked) == len(OWNERS)
    labels = dict.fromkeys(ranked, f"{len(ranked) - 12} other owners")
    for owner in ranked[:12]:
        labels[owner] = f"Ada ({owner})" if NAMES.get(owner) == "Ada" else NAMES.get(owner, str(owner))

    def age(due: datetime | None) -> str:
        if due is None:
            return "no due date"
        overdue = reported.review.taken_at - due
        if overdue <= timedelta():
            return "not due yet"
        limits = {timedelta(days=7): "up to 7 days overdue", timedelta(days=30): "8 to 30 days overdue"}
        return next((name for limit, name in limits.items() if overdue <= limit), "over 30 days overdue")

    return Counter((labels[task["owner_id"]], age(task["due_date"])) for task in tasks)


def meetings(reported: Reported) -> list[tuple[date, int]]:
    """Week and meetings, of the last 26 weeks."""
    held = Counter(day - timedelta(days=day.weekday()) for day in map(reported.held_on, reported.past_appointments))
    monday = reported.today - timedelta(days=reported.today.weekday())
    return [(week, held[week]) for week in (monday - timedelta(weeks=weeks) for weeks in range(25, -1, -1))]


def quiet_accounts(reported: Reported) -> list[tuple[str | None, str, date | None, int | None, Decimal]]:
    """Account, owner, last activity, days and won amount, of the 15 that are quiet for the longest time."""
    won = defaultdict[int, Decimal](Decimal)
    for deal in reported.won:
        won[deal["sales_account_id"]] += deal["base_currency_amount"]
    rows = []
    for id_, account in enumerate(reported.accounts):
        since = account["last_contacted"] or account["created_at"]
        days = (reported.today - reported.day(since)).days if since else None
        last = account["last_contacted"] and reported.day(account["last_contacted"])
        owner = NAMES.get(account["owner_id"], str(account["owner_id"] or "unassigned"))
        rows.append((days, id_, account, (account["name"], owner, last, days, won[id_])))
    listed = [row for row in rows if not row[2]["is_deleted"]]
    listed.sort(key=lambda row: (row[0] is None, -(row[0] or 0), row[1]))
    return [row[-1] for row in listed[:15]]


def headline(reported: Reported) -> dict[str, int | Decimal]:
    def recent(day: date) -> bool:
        return reported.today - timedelta(days=30) < day <= reported.today

    accounts = [account for account in reported.accounts if not account["is_deleted"]]
    won = [deal["base_currency_amount"] for deal in reported.won if recent(deal["closed_date"])]
    tasks = [task for task in reported.open_tasks if task["status"] == 0]
    return {
        "won_amount_30_days": sum(won, Decimal(0)),
        "won_deals_30_days": len(won),
        "crm_open_deals_amount": sum((account["open_deals_amount"] for account in accounts), Decimal(0)),
        "appointments_30_days": sum(recent(reported.held_on(held)) for held in reported.past_appointments),
        "open_tasks": len(tasks),
        "overdue_tasks": sum(bool(task["due_date"]) and task["due_date"] < reported.review.taken_at for task in tasks),
        "accounts": len(accounts),
        "contacts": sum(not contact["is_deleted"] for contact in reported.contacts),
    }


def test_numbers(reported: Reported) -> None:
    expected = headline(reported)
    assert reported.review.headline == expected
    shown = re.findall(r"<li><b>([^<]*)</b>([^<]*?)\s*<", reported.page)
    assert shown == [(f"{expected[name]:,.0f}", label) for name, (label, _) in HEADLINE.items()]


def test_revenue_and_targets(reported: Reported) -> None:
    expected = revenue(reported)
    assert [tuple(row.values()) for row in reported.review.revenue] == expected

    bars = {bar["month"]: number(bar["won amount (company's currency)"]) for bar in reported.drawn["revenue"][:24]}
    assert bars == pytest.approx({f"{month:%b %Y}": float(won) for month, won, _, _ in expected}, rel=1e-4)
    targets = {mark["month"]: float(mark["target_amount"].replace(",", "")) for mark in reported.drawn["revenue"][24:]}
    assert targets == {f"{month:%b %Y}": target for month, _, _, target in expected if target}

    *_, (_, won, _, target) = expected
    best = max(expected, key=lambda row: row[1])
    assert target
    assert (
        f"Bars by month. {sum(row[1] for row in expected):,.0f} won in 24 months; the best was {best[0]:%B %Y} with "
        f"{best[1]:,.0f}. The orange marks are the targets, {won / target:.0%} of which is reached this month."
    ) in reported.page


def test_open_tasks(reported: Reported) -> None:
    expected = backlog(reported)
    assert {(row["owner"], row["age"]): row["open_tasks"] for row in reported.review.backlog} == expected
    assert len(reported.review.backlog) == len(expected)

    bars = {(bar["owner"], bar["age"]): int(bar["open tasks"]) for bar in reported.drawn["backlog"]}
    assert bars == expected
    overdue = sum(count for (_, age), count in expected.items() if age.endswith("overdue"))
    assert f"Open tasks: {sum(expected.values())}, of these overdue: {overdue}. Ada (1) has the most." in reported.page


def test_meetings(reported: Reported) -> None:
    expected = meetings(reported)
    assert [tuple(row.values()) for row in reported.review.meetings] == expected

    points = {point["week beginning"]: int(point["meetings"]) for point in reported.drawn["meetings"]}
    assert points == {f"{week:%d %b}": count for week, count in expected}
    total = sum(count for _, count in expected)
    described = f"{total} meetings in 26 weeks, {total / 26:.1f} a week; {expected[-1][1]} in the current one."
    assert described in reported.page


def test_quiet_accounts(reported: Reported) -> None:
    expected = quiet_accounts(reported)
    assert [tuple(row.values()) for row in reported.review.quiet_accounts] == expected

    section = reported.page.partition("Accounts without contact")[2]
    shown = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in section.split("<tr>")[2:]]
    assert shown == [
        [
            account or "(no name)",
            owner,
            str(last or "never, since it was entered"),
            "" if days is None else f"{days:,}",
            f"{won:,.0f}",
        ]
        for account, owner, last, days, won in expected
    ]


def number(text: str) -> float:
    """A number as an axis writes it, such as 12.3k."""
    found = re.fullmatch(r"([0-9.]+)([kM]?)", text)
    assert found
    return float(found[1]) * SI[found[2]]
