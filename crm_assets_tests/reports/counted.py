"""The rows that the tables of the sales review should have, counted from the invented records."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from crm_assets.source.schemas import resource_schema
from crm_assets_tests.models.reckoning import (
    Record,
    fiscal_year_from,
    half_up,
    months_later,
    quarter_of,
    share,
    total,
)
from crm_assets_tests.reports.invented import LISTS, Reported

NAMES = {1: "Ada", 2: "Ada", 3: "Bob", 4: "unassigned", 5: "Ada", 6: "Cy & <Co>"}
APRIL = 4
ONE_DAY = timedelta(days=1)


def won(reported: Reported, after: date = date.min, to: date | None = None, **having: Any) -> Decimal:
    """What was won after a day, up to today or another day."""
    return total(
        deal["base_currency_amount"]
        for deal in reported.won
        if after < deal["closed_date"] <= (to or reported.today)
        and all(deal[name] == value for name, value in having.items())
    )


def year_from(reported: Reported) -> date:
    return fiscal_year_from(reported.today, APRIL)


def to_date(reported: Reported, month: date, amount: int) -> Decimal:
    """The part of a month's target that is due."""
    days = (months_later(month) - month).days
    return half_up(Decimal(amount) * min((reported.today - month).days + 1, days) / days, 2)


def target(reported: Reported) -> Iterator[Record]:
    for period, first in {"this month": reported.today.replace(day=1), "this year": year_from(reported)}.items():
        due = [(to_date(reported, month, amount), amount) for month, _, amount in reported.targets if month >= first]
        amount, target = won(reported, first - ONE_DAY), total(part for part, _ in due)
        yield {
            "period": period,
            "won_amount": amount,
            "target_to_date": target,
            "attainment": share(amount, target),
            "ahead": amount - target,
            "target_amount": sum(whole for _, whole in due),
        }


def months(reported: Reported) -> Iterator[Record]:
    targets = Counter[date]()
    for month, _, amount in reported.targets:
        targets[month] += amount
    for ago in range(23, -1, -1):
        month = months_later(reported.today.replace(day=1), -ago)
        brought = won(reported, month - ONE_DAY, min(months_later(month) - ONE_DAY, reported.today))
        yield {"month": month, "won_amount": brought, "target_amount": targets[month] or None}


def week(reported: Reported) -> Iterator[Record]:
    a_month_ago = reported.today - timedelta(days=30)

    def recent(days: Iterable[date]) -> int:
        return sum(a_month_ago < day <= reported.today for day in days)

    accounts, tasks = listed(reported), open_tasks(reported)
    numbers = {
        "Won in 30 days": won(reported, a_month_ago),
        "Deals won in 30 days": recent(deal["closed_date"] for deal in reported.won),
        "Open deals": total(account["open_deals_amount"] for account in accounts.values()),
        "Meetings in 30 days": recent(map(reported.held_on, reported.past_appointments)),
        "Open tasks": len(tasks),
        "Overdue tasks": sum(bool(task["due_date"]) and task["due_date"] < reported.built_at for task in tasks),
        "Accounts": len(accounts),
        "Contacts": sum(not contact["is_deleted"] for contact in reported.contacts),
    }
    for name, value in numbers.items():
        yield {"figure": name, "value": value, "change": len(accounts) - 17 if name == "Accounts" else 0}


def owners(reported: Reported) -> Iterator[Record]:
    month, year = reported.today.replace(day=1), year_from(reported)
    due = defaultdict[Any, dict[date, Decimal]](dict)
    for first, user, whole in reported.targets:
        due[user][first] = to_date(reported, first, whole)
    rows: list[Record] = []
    for owner, label in {1: "Ada (1)", 2: "Ada (2)", None: "unassigned", 3: "Bob", 6: "Cy & <Co>"}.items():
        this_year = [part for first, part in due[owner].items() if first >= year]
        amount = won(reported, year - ONE_DAY, owner_id=owner)
        in_month = won(reported, month - ONE_DAY, owner_id=owner)
        rows.append(
            {
                "owner": label,
                "won_amount": in_month,
                "attainment": share(in_month, due[owner].get(month)),
                "won_amount_this_year": amount,
                "target_this_year": total(this_year) if this_year else None,
                "attainment_this_year": share(amount, total(this_year)),
            }
        )
    yield from sorted(rows, key=lambda row: -row["won_amount_this_year"])


def types(reported: Reported) -> Iterator[Record]:
    of_type, last = defaultdict[str, list[Record]](list), dict[int, date]()
    for deal in sorted(reported.won, key=lambda deal: deal["closed_date"]):  # stable: by id within a day
        account, day = deal["sales_account_id"], deal["closed_date"]
        if account is None:
            of_type["unknown"].append(deal)
            continue
        before = last.get(account)
        of_type["first" if before is None else "won back" if (day - before).days > 365 else "repeat"].append(deal)
        last[account] = day
    year, two_years = years_ago(reported, 1), years_ago(reported, 2)
    for name in ("first", "repeat", "won back", "unknown"):
        amounts = [
            total(deal["base_currency_amount"] for deal in of_type[name] if first < deal["closed_date"] <= end)
            for first, end in ((year, reported.today), (two_years, year))
        ]
        yield {
            "revenue_type": name,
            "won_amount_12m": amounts[0],
            "share": share(amounts[0], won(reported, year)),
            "won_amount_prior_12m": amounts[1],
        }


def years_ago(reported: Reported, years: int) -> date:
    return months_later(reported.today, -12 * years)


def listed(reported: Reported) -> dict[int, Record]:
    """The accounts that are shown, by id."""
    return {id_: account for id_, account in enumerate(reported.accounts) if not account["is_deleted"]}


def open_tasks(reported: Reported) -> list[Record]:
    return [task for task in reported.open_tasks if task["status"] == 0]


def owner_of(account: Record) -> str:
    return NAMES.get(account["owner_id"], str(account["owner_id"] or "unassigned"))


def brought(reported: Reported, account: int) -> Decimal:
    """All that a customer has brought, and will."""
    return won(reported, to=date.max, sales_account_id=account)


def customers(reported: Reported) -> Iterator[Record]:
    year = years_ago(reported, 1)
    recent = {id_: won(reported, year, sales_account_id=id_) for id_ in listed(reported)}
    ranked = sorted(recent, key=lambda id_: (-recent[id_], id_))[:10]
    for rank, id_ in enumerate(ranked, 1):
        yield {
            "customer": reported.accounts[id_]["name"],
            "owner": owner_of(reported.accounts[id_]),
            "won_amount_12m": recent[id_],
            "won_amount_prior_12m": won(reported, years_ago(reported, 2), year, sales_account_id=id_),
            "cumulative_share_12m": share(total(recent[id_] for id_ in ranked[:rank]), won(reported, year)),
        }


def bought_in(reported: Reported) -> dict[int, set[date]]:
    """Customer -> the quarters in which it bought."""
    found = defaultdict[int, set[date]](set)
    for deal in reported.won:
        if deal["sales_account_id"] in listed(reported):
            found[deal["sales_account_id"]].add(quarter_of(deal["closed_date"]))
    return found


def retention(reported: Reported) -> Iterator[Record]:
    for ago in range(7, -1, -1):
        first = months_later(quarter_of(reported.today), -3 * ago)
        cohort = [quarters for quarters in bought_in(reported).values() if min(quarters) == first]
        for since in range(ago + 1) if cohort else ():
            buying = sum(months_later(first, 3 * since) in quarters for quarters in cohort)
            yield {
                "first_quarter": first,
                "quarters_since": since,
                "customers": len(cohort),
                "customers_buying": buying,
                "share_buying": share(buying, len(cohort)),
            }


def quiet(reported: Reported) -> Iterator[Record]:
    found = []
    for id_, account in listed(reported).items():
        amount, last = brought(reported, id_), account["last_contacted"] and reported.day(account["last_contacted"])
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


def backlog(reported: Reported) -> Iterator[Record]:
    now, counts = reported.built_at, defaultdict[Any, Counter[str]](Counter)
    for task in open_tasks(reported):
        due = task["due_date"]
        later = "due_this_week" if due and due < now + timedelta(days=7) else "due_later"
        counts[task["owner_id"]]["without_due_date" if due is None else "overdue_tasks" if due < now else later] += 1
    labels = {1: "Ada (1)", 2: "Ada (2)", 5: "Ada (5)", 4: "unassigned (4)", None: "unassigned (unassigned)"}

    def rank(owner: int | None) -> tuple[int, int, str]:
        return -counts[owner]["overdue_tasks"], -counts[owner].total(), str(owner or "unassigned")

    *_, others = ranked = sorted(counts, key=rank)
    for owner in ranked[12:-1]:
        counts[others] += counts[owner]
    for owner in [*ranked[:12], others]:
        label = labels.get(owner, NAMES.get(owner or 0, str(owner)))
        columns = ("overdue_tasks", "due_this_week", "due_later", "without_due_date")
        yield {
            "owner": f"{len(ranked) - 12} other owners" if owner == others else label,
            **{column: counts[owner][column] for column in columns},
        }


def meetings(reported: Reported) -> Iterator[Record]:
    held = Counter(day - timedelta(days=day.weekday()) for day in map(reported.held_on, reported.past_appointments))
    monday = reported.today - timedelta(days=reported.today.weekday())
    for week in (monday - timedelta(weeks=weeks) for weeks in range(25, -1, -1)):
        yield {"week": week, "meetings": held[week]}


def quality(reported: Reported) -> Iterator[Record]:
    accounts, tasks = listed(reported), open_tasks(reported)
    names = Counter(account["name"] for account in accounts.values())
    of_accounts = [brought(reported, id_) for id_ in accounts]
    deals = [deal["base_currency_amount"] for deal in reported.won]
    fields = sum(len(resource_schema(resource).columns) for resource in LISTS)
    # Check: what fails of what was checked, None where it was not; and amounts.
    checks: dict[str, tuple[Iterable[bool | None], list[Decimal] | None]] = {
        "deals without a listed account": ((deal["sales_account_id"] not in accounts for deal in reported.won), deals),
        "deals without an amount in the company's currency": ((False for _ in deals), deals),
        "deals without a closing date": ((False for _ in deals), deals),
        "deals dated in the future": ((deal["closed_date"] > reported.today for deal in reported.won), deals),
        "accounts without an owner": ((account["owner_id"] is None for account in accounts.values()), of_accounts),
        "accounts without a contact": ((None for _ in accounts), of_accounts),
        "accounts with the name of another": (
            (names[account["name"]] > 1 if account["name"] else None for account in accounts.values()),
            of_accounts,
        ),
        "contacts without an e-mail address": ((), None),  # none has one
        "open tasks without a due date": ((task["due_date"] is None for task in tasks), None),
        "open tasks without an owner": ((task["owner_id"] is None for task in tasks), None),
        "records with a value of another type": ((False for name in LISTS for _ in getattr(reported, name)), None),
        "fields that are not declared": ((True for _ in range(fields)), None),
    }
    rows: list[Record] = []
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
                "amount_affected": None if amounts is None else total(affected),
            }
        )
    yield from sorted(
        rows, key=lambda row: (row["share"] is None, -(row["share"] or 0), -row["failing"], row["check_name"])
    )


def reads(reported: Reported) -> Iterator[Record]:
    for name in LISTS:
        yield {"list": name.replace("_", " "), "read_at": reported.read_at if name == "accounts" else None}


TABLES: dict[str, Callable[[Reported], Iterable[Record]]] = {
    expected.__name__: expected
    for expected in (
        target, months, week, owners, types, customers, retention, quiet, backlog, meetings, quality, reads
    )
}  # fmt: skip
