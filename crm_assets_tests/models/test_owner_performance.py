"""marts.owner_performance: one row an owner, as counted by hand."""

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from statistics import median
from typing import Any

from crm_assets.sandbox.chance import Dice
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.times import ago, ahead

PERFORMANCE = "marts.owner_performance"
Rows = list[dict[str, Any]]


def of(owner: int | None, rows: Rows, key: str = "owner_id") -> Rows:
    return [row for row in rows if row.get(key) == owner]


def test_figures_are_those_of_a_count_by_hand(crm: RawTables) -> None:
    dice = Dice(7)
    now = datetime.now(timezone.utc)
    today, entered = now.date(), now - timedelta(days=500)

    def owner() -> int | None:
        return dice.pick([1, 2, 3, None])

    def some(count: int, make: Callable[[], dict[str, Any]]) -> Rows:
        return [make() for _ in range(count)]

    accounts = some(20, lambda: {"owner_id": owner(), "is_deleted": dice.happens(0.2)})
    contacts = some(20, lambda: {"owner_id": owner()})
    deals = some(
        80,
        lambda: {
            "owner_id": owner(),
            "amount": dice.pick([None, Decimal(dice.number(0, 100_000)) / 100]),
            "closed_date": today - timedelta(days=dice.number(-20, 400)),
            "created_at": entered,
            "is_deleted": dice.happens(0.1),
        },
    )
    tasks = some(40, lambda: {"owner_id": owner(), "due_date": dice.pick([ago(days=3), ahead(days=3), None])})
    meetings = some(40, lambda: {"creater_id": owner(), "from_date": ago(days=dice.number(0, 60))})
    for resource, rows in {
        "accounts": accounts,
        "contacts": contacts,
        "won_deals": deals,
        "open_tasks": tasks,
        "past_appointments": meetings,
    }.items():
        for id_, row in enumerate(rows):
            crm.add(resource, id_, **row)

    def won(rows: Rows, begin: date, end: date) -> tuple[int, Decimal]:
        within = [deal["amount"] or Decimal(0) for deal in rows if begin <= deal["closed_date"] <= end]
        return len(within), sum(within, Decimal(0))

    first = today.replace(day=1)
    expected = []
    for who in (1, 2, 3, None):
        own = [deal for deal in of(who, deals) if not deal["is_deleted"]]
        expected.append(
            (
                "unassigned" if who is None else str(who),
                len([account for account in of(who, accounts) if not account["is_deleted"]]),
                len(of(who, contacts)),
                *won(own, date.min, date.max),
                median((deal["closed_date"] - entered.date()).days for deal in own),
                *won(own, first, today),
                *won(own, (first - timedelta(days=1)).replace(day=1), first - timedelta(days=1)),
                won(own, today.replace(month=1, day=1), today)[1],
                len(of(who, tasks)),
                len([task for task in of(who, tasks) if task["due_date"] and task["due_date"] < now]),
                0
                if who is None
                else sum(m["from_date"].date() > today - timedelta(days=30) for m in of(who, meetings, "creater_id")),
            )
        )

    assert crm.rows(
        PERFORMANCE,
        "owner",
        "accounts",
        "contacts",
        "won_deals",
        "won_amount",
        "median_days_to_win",
        "won_deals_this_month",
        "won_amount_this_month",
        "won_deals_last_month",
        "won_amount_last_month",
        "won_amount_this_year",
        "open_tasks",
        "overdue_tasks",
        "meetings_30_days",
    ) == sorted(expected)


def test_an_owner_with_meetings_only_has_a_row(crm: RawTables) -> None:
    crm.add("past_appointments", 1, creater_id=7, from_date=ago(days=1))
    crm.add("past_appointments", 2, from_date=ago(days=1))

    assert crm.rows(PERFORMANCE, "owner_id", "won_deals", "won_amount", "meetings_30_days") == [(7, 0, 0, 1)]


def test_who_may_no_longer_sign_in_is_marked(crm: RawTables) -> None:
    crm.add("accounts", 1, owner_id=7)
    crm.side_load("users", 7, display_name="Ada", is_active=False)

    assert crm.row(PERFORMANCE, "owner_name", "owner_is_active") == ("Ada", False)
