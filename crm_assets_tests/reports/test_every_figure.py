"""Each figure and each bar of the sales review, counted in Python from the records."""

import csv
import html
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from crm_assets.assets.reports import tables_read
from crm_assets.reports.figures import read_figures
from crm_assets.reports.files import csv_text
from crm_assets.reports.formats import Formats
from crm_assets.reports.page import render
from crm_assets.reports.tables import tables_of
from crm_assets.runner.variables import report_in
from crm_assets.source.schemas import resource_schema
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.test_metrics import metrics
from crm_assets_tests.reports.drawn import figures
from crm_assets_tests.reports.invented import LISTS, Records, Reported, invented

ZONES = ["America/Los_Angeles", pytest.param("Pacific/Kiritimati", marks=pytest.mark.slow)]
NAMES = {1: "Ada", 2: "Ada", 3: "Bob", 4: "unassigned", 5: "Ada", 6: "Cy & <Co>"}
APRIL = 4


@pytest.fixture(scope="module", params=ZONES)
def reported(request: pytest.FixtureRequest) -> Reported:
    made = invented(ZoneInfo(request.param))
    tables = RawTables(duckdb.connect())
    report_in(tables.connection, made.zone.key, APRIL)
    for resource in LISTS:
        records: Records = getattr(made, resource)
        tables.add_each(resource, **{name: [record[name] for record in records] for name in records[0]})
    for user, name in NAMES.items():
        tables.side_load("users", user, display_name=name)
    tables.set_targets(*made.targets)
    tables.log("accounts", "1700000000.5")
    tables.log("accounts", "1700000300.5", mode="incremental")
    tables.log("contacts", "1700000000.5", complete=False)
    tables.build(*tables_read())
    for days, accounts in {3: 1, 8: 17, 20: 2}.items():
        tables.connection.execute(
            "insert into marts.pipeline_health_daily select * replace (snapshot_date - $days as snapshot_date, "
            "taken_at - to_days($days) as taken_at, $accounts as accounts) from marts.pipeline_health_daily limit 1",
            {"days": days, "accounts": accounts},
        )
    [made.read_at] = tables.connection.execute("select started_at from raw.sync_log limit 1").fetchall()[0]
    made.review = read_figures(tables.connection)
    tables.connection.close()
    made.tables = tables_of(made.review)
    definitions = {name: definition for name, (_, definition) in metrics().items()}
    made.page = render(made.review, Formats(made.zone, "CHF"), definitions, "a test", "folder")
    made.figures = figures(made.page)
    return made


Row = dict[str, Any]


def half_up(value: Decimal | int, digits: int = 0) -> Decimal:
    return Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def share(part: Decimal | int, whole: Decimal | int | None) -> Decimal | None:
    return half_up(Decimal(part) / Decimal(whole), 4) if whole else None


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or its last one."""
    number = day.year * 12 + day.month - 1 - months
    first = date(number // 12, number % 12 + 1, 1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return min(first + timedelta(days=day.day - 1), last)


def quarter_of(day: date) -> date:
    return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)


def won(reported: Reported, after: date, to: date | None = None, **having: Any) -> Decimal:
    """What was won after a day, up to today or an earlier day."""
    deals = [deal for deal in reported.won if all(deal[name] == value for name, value in having.items())]
    return sum(
        (deal["base_currency_amount"] for deal in deals if after < deal["closed_date"] <= (to or reported.today)),
        Decimal(0),
    )


def year_from(reported: Reported) -> date:
    return date(reported.today.year - (reported.today.month < APRIL), APRIL, 1)


def to_date(reported: Reported, month: date, amount: int) -> Decimal:
    """The part of a month's target that is due."""
    days = (months_before(month, -1) - month).days
    return half_up(Decimal(amount) * min((reported.today - month).days + 1, days) / days, 2)


def target(reported: Reported) -> Iterator[Row]:
    for period, first in {"this month": reported.today.replace(day=1), "this year": year_from(reported)}.items():
        due = [(to_date(reported, month, amount), amount) for month, _, amount in reported.targets if month >= first]
        amount, target = won(reported, first - timedelta(days=1)), sum((part for part, _ in due), Decimal(0))
        yield {
            "period": period,
            "won_amount": amount,
            "target_to_date": target,
            "attainment": share(amount, target),
            "ahead": amount - target,
            "target_amount": sum(whole for _, whole in due),
        }


def months(reported: Reported) -> Iterator[Row]:
    targets = Counter[date]()
    for month, _, amount in reported.targets:
        targets[month] += amount
    for ago in range(23, -1, -1):
        month = months_before(reported.today.replace(day=1), ago)
        end = min(months_before(month, -1) - timedelta(days=1), reported.today)
        brought = won(reported, month - timedelta(days=1), end)
        yield {"month": month, "won_amount": brought, "target_amount": targets[month] or None}


def week(reported: Reported) -> Iterator[Row]:
    def recent(day: date) -> bool:
        return reported.today - timedelta(days=30) < day <= reported.today

    accounts = [account for account in reported.accounts if not account["is_deleted"]]
    tasks = [task for task in reported.open_tasks if task["status"] == 0]
    numbers = {
        "Won in 30 days": won(reported, reported.today - timedelta(days=30)),
        "Deals won in 30 days": sum(recent(deal["closed_date"]) for deal in reported.won),
        "Open deals": sum((account["open_deals_amount"] for account in accounts), Decimal(0)),
        "Meetings in 30 days": sum(recent(reported.held_on(held)) for held in reported.past_appointments),
        "Open tasks": len(tasks),
        "Overdue tasks": sum(bool(task["due_date"]) and task["due_date"] < reported.review.taken_at for task in tasks),
        "Accounts": len(accounts),
        "Contacts": sum(not contact["is_deleted"] for contact in reported.contacts),
    }
    for name, value in numbers.items():
        yield {"figure": name, "value": value, "change": len(accounts) - 17 if name == "Accounts" else 0}


def owners(reported: Reported) -> Iterator[Row]:
    month, year = reported.today.replace(day=1), year_from(reported)
    due = defaultdict[Any, dict[date, Decimal]](dict)
    for first, user, whole in reported.targets:
        due[user][first] = to_date(reported, first, whole)
    rows: list[Row] = []
    for owner, label in {1: "Ada (1)", 2: "Ada (2)", None: "unassigned", 3: "Bob", 6: "Cy & <Co>"}.items():
        this_year = [part for first, part in due[owner].items() if first >= year]
        amount = won(reported, year - timedelta(days=1), owner_id=owner)
        in_month = won(reported, month - timedelta(days=1), owner_id=owner)
        rows.append(
            {
                "owner": label,
                "won_amount": in_month,
                "attainment": share(in_month, due[owner].get(month)),
                "won_amount_this_year": amount,
                "target_this_year": sum(this_year, Decimal(0)) if this_year else None,
                "attainment_this_year": share(amount, sum(this_year, Decimal(0))),
            }
        )
    yield from sorted(rows, key=lambda row: -row["won_amount_this_year"])


def types(reported: Reported) -> Iterator[Row]:
    of_type, last = defaultdict[str, list[Row]](list), dict[int, date]()
    for _, deal in sorted(
        enumerate(reported.won_deals), key=lambda numbered: (numbered[1]["closed_date"], numbered[0])
    ):
        account, day = deal["sales_account_id"], deal["closed_date"]
        if deal["is_deleted"]:
            continue
        if account is None:
            of_type["unknown"].append(deal)
            continue
        before = last.get(account)
        of_type["first" if before is None else "won back" if (day - before).days > 365 else "repeat"].append(deal)
        last[account] = day
    year, two_years = (months_before(reported.today, months) for months in (12, 24))
    total = won(reported, year)
    for name in ("first", "repeat", "won back", "unknown"):
        amounts = [
            sum(
                (deal["base_currency_amount"] for deal in of_type[name] if first < deal["closed_date"] <= end),
                Decimal(0),
            )
            for first, end in ((year, reported.today), (two_years, year))
        ]
        yield {
            "revenue_type": name,
            "won_amount_12m": amounts[0],
            "share": share(amounts[0], total),
            "won_amount_prior_12m": amounts[1],
        }


def listed(reported: Reported) -> dict[int, dict[str, Any]]:
    return {id_: account for id_, account in enumerate(reported.accounts) if not account["is_deleted"]}


def owner_of(account: dict[str, Any]) -> str:
    return NAMES.get(account["owner_id"], str(account["owner_id"] or "unassigned"))


def customers(reported: Reported) -> Iterator[Row]:
    year, two_years = (months_before(reported.today, months) for months in (12, 24))
    brought = {id_: won(reported, year, sales_account_id=id_) for id_ in listed(reported)}
    total = Decimal(0)
    for id_, amount in sorted(brought.items(), key=lambda item: (-item[1], item[0]))[:10]:
        total += amount
        yield {
            "customer": reported.accounts[id_]["name"],
            "owner": owner_of(reported.accounts[id_]),
            "won_amount_12m": amount,
            "won_amount_prior_12m": won(reported, two_years, year, sales_account_id=id_),
            "cumulative_share_12m": share(total, won(reported, year)),
        }


def bought_in(reported: Reported) -> dict[int, set[date]]:
    """Customer -> the quarters in which it bought."""
    found = defaultdict[int, set[date]](set)
    for deal in reported.won:
        if deal["sales_account_id"] in listed(reported):
            found[deal["sales_account_id"]].add(quarter_of(deal["closed_date"]))
    return found


def retention(reported: Reported) -> Iterator[Row]:
    last = quarter_of(reported.today)
    for ago in range(7, -1, -1):
        first = months_before(last, 3 * ago)
        cohort = [quarters for quarters in bought_in(reported).values() if min(quarters) == first]
        for since in range(ago + 1) if cohort else ():
            buying = sum(months_before(first, -3 * since) in quarters for quarters in cohort)
            yield {
                "first_quarter": first,
                "quarters_since": since,
                "customers": len(cohort),
                "customers_buying": buying,
                "share_buying": share(buying, len(cohort)),
            }


def quiet(reported: Reported) -> Iterator[Row]:
    found = []
    for id_, account in listed(reported).items():
        amount = won(reported, date.min, date.max, sales_account_id=id_)
        last = account["last_contacted"] and reported.day(account["last_contacted"])
        if last and (reported.today - last).days > 90 and amount > 0:
            found.append((-amount, id_, account, last))
    for negative, _, account, last in sorted(found, key=lambda row: row[:2])[:15]:
        yield {
            "customer": account["name"],
            "owner": owner_of(account),
            "won_amount": -negative,
            "last_activity_on": last,
            "days_quiet": (reported.today - last).days,
            "open_tasks": 0,
        }


def backlog(reported: Reported) -> Iterator[Row]:
    now, counts = reported.review.taken_at, defaultdict[Any, Counter[str]](Counter)
    for task in reported.open_tasks:
        if task["status"] == 0:
            due = task["due_date"]
            later = "due_this_week" if due and due < now + timedelta(days=7) else "due_later"
            counts[task["owner_id"]][
                "without_due_date" if due is None else "overdue_tasks" if due < now else later
            ] += 1
    labels = {1: "Ada (1)", 2: "Ada (2)", 5: "Ada (5)", 4: "unassigned (4)", None: "unassigned (unassigned)"}

    def place(owner: int | None) -> tuple[int, int, str]:
        return -counts[owner]["overdue_tasks"], -counts[owner].total(), str(owner or "unassigned")

    *_, others = ranked = sorted(counts, key=place)
    for owner in ranked[12:-1]:
        counts[others] += counts[owner]
    for owner in [*ranked[:12], others]:
        label = labels.get(owner, NAMES.get(owner or 0, str(owner)))
        columns = ("overdue_tasks", "due_this_week", "due_later", "without_due_date")
        yield {
            "owner": f"{len(ranked) - 12} other owners" if owner == others else label,
            **{column: counts[owner][column] for column in columns},
        }


def meetings(reported: Reported) -> Iterator[Row]:
    held = Counter(day - timedelta(days=day.weekday()) for day in map(reported.held_on, reported.past_appointments))
    monday = reported.today - timedelta(days=reported.today.weekday())
    for week in (monday - timedelta(weeks=weeks) for weeks in range(25, -1, -1)):
        yield {"week": week, "meetings": held[week]}


def quality(reported: Reported) -> Iterator[Row]:
    accounts, names = listed(reported), Counter(account["name"] for account in listed(reported).values())
    brought = [won(reported, date.min, date.max, sales_account_id=id_) for id_ in accounts]
    deals = [deal["base_currency_amount"] for deal in reported.won]
    tasks = [task for task in reported.open_tasks if task["status"] == 0]
    contacts = [contact for contact in reported.contacts if not contact["is_deleted"]]
    fields = sum(len(resource_schema(resource).columns) for resource in LISTS)
    # Check: what fails of what was checked, None where it was not; and amounts.
    checks: dict[str, tuple[Iterable[bool | None], list[Decimal] | None]] = {
        "deals without a listed account": ((deal["sales_account_id"] not in accounts for deal in reported.won), deals),
        "deals without an amount in the company's currency": ((False for _ in deals), deals),
        "deals without a closing date": ((False for _ in deals), deals),
        "deals dated in the future": ((deal["closed_date"] > reported.today for deal in reported.won), deals),
        "accounts without an owner": ((account["owner_id"] is None for account in accounts.values()), brought),
        "accounts without a contact": ((None for _ in accounts), brought),
        "accounts with the name of another": (
            (names[account["name"]] > 1 if account["name"] else None for account in accounts.values()),
            brought,
        ),
        "contacts without an e-mail address": ((True for _ in contacts), None),
        "open tasks without a due date": ((task["due_date"] is None for task in tasks), None),
        "open tasks without an owner": ((task["owner_id"] is None for task in tasks), None),
        "records with a value of another type": ((False for name in LISTS for _ in getattr(reported, name)), None),
        "fields that are not declared": ((True for _ in range(fields)), None),
    }
    rows: list[Row] = []
    for name, (found, amounts) in checks.items():
        fails = [*found]
        checked = [each for each in fails if each is not None]
        affected = [amount for each, amount in zip(fails, amounts or [], strict=False) if each]
        rows.append(
            {
                "check_name": name,
                "failing": sum(checked),
                "checked": len(checked),
                "share": share(sum(checked), len(checked)),
                "amount_affected": None if amounts is None else sum(affected, Decimal(0)),
            }
        )
    yield from sorted(
        rows, key=lambda row: (row["share"] is None, -(row["share"] or 0), -row["failing"], row["check_name"])
    )


def reads(reported: Reported) -> Iterator[Row]:
    for name in LISTS:
        yield {"list": name.replace("_", " "), "read_at": reported.read_at if name == "accounts" else None}


TABLES: dict[str, Callable[[Reported], Iterable[Row]]] = {
    expected.__name__: expected
    for expected in (
        target, months, week, owners, types, customers, retention, quiet, backlog, meetings, quality, reads
    )
}  # fmt: skip


def written(kind: str, value: Any, zone: ZoneInfo) -> str:
    """A value as the page writes it."""
    if value is None:
        return {"text": "(no name)", "instant": "never"}.get(kind, "–")  # noqa: RUF001
    if kind in {"count", "amount"}:
        return f"{half_up(value):,}"
    if kind == "change":
        return f"{half_up(value):+,}" if half_up(value) else "no change"
    if kind == "share":
        return f"{half_up(value * 100):,}%"
    if kind == "instant":
        return f"{value.astimezone(zone):%-d %B %Y, %H:%M}"
    dates = {"day": "%-d %B %Y", "week": "%-d %b", "month": "%b %Y"}
    return str(value) if kind == "text" else f"{value:{dates[kind]}}"


@pytest.mark.parametrize("name", TABLES)
def test_table_has_the_figures_of_the_records(reported: Reported, name: str) -> None:
    table, expected = reported.tables[name], [*TABLES[name](reported)]
    columns = [column.name for column in table.columns]
    exact = [{column: row[column] for column in columns} for row in table.rows]
    for row in exact:
        row.update(
            {
                column.name: share(row[column.name], 1)
                for column in table.columns
                if column.kind == "share" and row[column.name] is not None
            }
        )
    assert exact == expected

    [header, *rows] = csv.reader(io.StringIO(csv_text(table).lstrip("\ufeff")))
    assert header == columns
    assert rows == [["" if value is None else plain(value) for value in row.values()] for row in expected]

    if name != "retention":
        assert reported.figures[table.title].rows == [
            [written(column.kind, row[column.name], reported.zone) for column in table.columns] for row in table.rows
        ]


def plain(value: Any) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


@pytest.mark.parametrize(
    ("name", "bar", "mark"),
    [
        ("months", "won_amount", "target_amount"),
        ("owners", "won_amount_this_year", "target_this_year"),
        ("types", "won_amount_12m", "won_amount_prior_12m"),
        ("meetings", "meetings", None),
    ],
)
def test_chart_shows_the_figures_of_its_table(reported: Reported, name: str, bar: str, mark: str | None) -> None:
    drawn, rows = reported.figures[reported.tables[name].title], [*TABLES[name](reported)]
    assert 5 <= len(drawn.ticks) <= 8
    top = max([float(row[bar]) for row in rows])
    bars = [float(row[bar]) for row in rows if row[bar]]
    assert [length for lengths in drawn.bars.values() for length in lengths] == pytest.approx(bars, abs=top / 1000)
    marks = [float(row[mark]) for row in rows if row[mark] is not None] if mark else []
    assert [*drawn.marks.values()] == pytest.approx(marks, abs=top / 1000)


def test_stacked_chart_shows_the_figures_of_its_table(reported: Reported) -> None:
    drawn = reported.figures["Open tasks by owner"]
    for row in backlog(reported):
        owner, *counts = row.values()
        assert drawn.bars[owner] == pytest.approx([count for count in counts if count], abs=0.1)


def test_heat_map_shows_the_share_of_each_quarter(reported: Reported) -> None:
    cells = defaultdict[date, list[str]](list)
    for row in retention(reported):
        cells[row["first_quarter"]].append(written("share", row["share_buying"], reported.zone))
    customers = {row["first_quarter"]: f"{row['customers']}" for row in retention(reported)}
    expected = [
        [f"{first.year} Q{(first.month + 2) // 3}", customers[first], *shares[1:], *[""] * (8 - len(shares))]
        for first, shares in cells.items()
    ]
    assert reported.figures["Customers who bought again"].rows == expected


def test_first_lines_answer_with_the_figures_of_the_records(reported: Reported) -> None:
    def money(amount: Decimal) -> str:
        return f"CHF\N{NO-BREAK SPACE}{half_up(amount):,}"

    def percent(part: Decimal | int, whole: Decimal | int) -> str:
        return f"{half_up(100 * Decimal(part) / Decimal(whole)):,}%"

    page = html.unescape(reported.page)
    month, year = target(reported)
    for row, when in ((month, f"in {reported.today:%B %Y}"), (year, f"since {year_from(reported):%-d %B %Y}")):
        ahead = f"{money(abs(row['ahead']))} {'ahead' if row['ahead'] >= 0 else 'behind'}"
        attained = percent(row["won_amount"], row["target_to_date"])
        assert f"{money(row['won_amount'])} was won {when}, {attained} of the target to date: {ahead}." in page
    best = next(owners(reported))
    assert (
        f"{best['owner']} has won most this year: {money(best['won_amount_this_year'])} of "
        f"{money(year['won_amount'])}, {percent(best['won_amount_this_year'], year['won_amount'])}."
    ) in page
    on_target = [row for row in owners(reported) if row["target_this_year"] is not None]
    reached = sum(row["won_amount_this_year"] >= row["target_this_year"] for row in on_target)
    assert f"On target to date: {reached} of {len(on_target)} owners with one." in page

    of_type, total = (
        {row["revenue_type"]: row["won_amount_12m"] for row in types(reported)},
        won(reported, months_before(reported.today, 12)),
    )
    shares = [percent(of_type[name], total) for name in ("first", "repeat", "won back", "unknown")]
    assert (
        f"Of the {money(total)} of the last 12 months, {shares[0]} is from first deals, {shares[1]} from repeat ones, "
        f"{shares[2]} from customers won back, {shares[3]} from accounts that are not known."
    ) in page
    *_, last = customers(reported)
    assert f"The 10 largest customers brought {written('share', last['cumulative_share_12m'], reported.zone)}." in page
    quarter = months_before(quarter_of(reported.today), 3)
    earlier = [quarters for quarters in bought_in(reported).values() if min(quarters) < quarter]
    again = percent(sum(quarter in quarters for quarters in earlier), len(earlier))
    named = f"{quarter.year} Q{(quarter.month + 2) // 3}"
    assert f"{again} of the {len(earlier)} customers won before {named} bought in it." in page

    silent, unknown = [], []
    for id_, account in listed(reported).items():
        amount = won(reported, date.min, date.max, sales_account_id=id_)
        if amount > 0 and account["last_contacted"] is None:
            unknown.append(amount)
        elif amount > 0 and (reported.today - reported.day(account["last_contacted"])).days > 90:
            silent.append(amount)
    assert (
        f"{len(silent)} customers who brought {money(sum(silent, Decimal(0)))} had no contact for more than 90" in page
    )
    assert f"{len(unknown)} customers who brought {money(sum(unknown, Decimal(0)))} had none that is on record." in page
    tasks = {row["figure"]: row["value"] for row in week(reported)}
    assert f"{tasks['Overdue tasks']} of {tasks['Open tasks']} open tasks are overdue." in page

    assert "Never read completely: contacts, won deals, open tasks, past appointments." in page
    failing = [row for row in quality(reported) if row["failing"]]
    worst = max((row for row in failing if row["amount_affected"]), key=lambda row: row["amount_affected"])
    assert f"{len(failing)} of 12 checks of the data find something. The largest amount, " in page
    assert f"{money(worst['amount_affected'])}, is that of {worst['check_name']}." in page
