"""The marts of history: owners over time, changes of deals, durations of tasks."""

from datetime import datetime, timedelta
from itertools import pairwise, product

from crm_assets.runner.unchanged import report_in
from crm_assets_tests.models.raw_tables import SECOND, RawTables
from crm_assets_tests.models.times import ago, ahead, utc

OWNERSHIP, CHANGES, DURATIONS = "marts.account_ownership", "marts.won_deal_changes", "marts.task_durations"


def test_an_account_has_a_row_for_each_owner_that_was_seen(crm: RawTables) -> None:
    crm.add("accounts", 1, owner_id=7, name="Acme")
    crm.build("snapshots.accounts_history")
    crm.change("accounts", 1, territory_id=3)
    crm.build("snapshots.accounts_history")
    crm.change("accounts", 1, owner_id=8)

    assert crm.rows(OWNERSHIP, "owner_id", "account_name", "is_current") == [(7, "Acme", False), (8, "Acme", True)]
    assert crm.rows(OWNERSHIP, "account_id", "owned_until is null or owned_until > owned_from") == [
        (1, True),
        (1, True),
    ]


def test_an_account_seen_while_the_clock_was_ahead_is_owned_for_no_day(crm: RawTables) -> None:
    crm.add("accounts", 1, owner_id=7)
    report_in(crm.connection, "UTC", now=ahead(days=10))
    crm.build("snapshots.accounts_history")
    report_in(crm.connection, "UTC")

    assert crm.row(OWNERSHIP, "days_owned") == (0,)


def test_a_deals_changes_have_amounts_and_owners(crm: RawTables) -> None:
    crm.add("won_deals", 1, owner_id=7, amount=100)
    crm.build("snapshots.won_deals_history")
    crm.change("won_deals", 1, amount=80)
    crm.build("snapshots.won_deals_history")
    crm.change("won_deals", 1, owner_id=8)

    assert crm.rows(CHANGES, "version", "change", "amount_change", "owner_id_before", "owner_id") == [
        (1, "first seen", None, None, 7),
        (2, "amount", -20, 7, 7),
        (3, "owner", 0, 7, 8),
    ]


def test_task_is_open_from_its_entry_until_it_vanishes(crm: RawTables) -> None:
    crm.add("open_tasks", 1, owner_id=7, created_at=ago(days=10), due_date=ago(days=3))
    crm.build("snapshots.open_tasks_history")
    crm.change("open_tasks", 1, due_date=ago(days=1), owner_id=8)
    crm.build("snapshots.open_tasks_history")
    assert crm.row(DURATIONS, "is_open", "owners", "times_postponed", "owner_id") == (True, 2, 1, 8)

    crm.log("open_tasks", SECOND)
    columns = ("is_open", "was_closed_late", "closed_at - opened_at > interval 9 day", "days_open between 9 and 11")
    assert crm.row(DURATIONS, *columns) == (False, True, True, True)


def test_a_task_entered_in_the_future_has_been_open_for_no_day(crm: RawTables) -> None:
    crm.add("open_tasks", 1, created_at=ago(days=-10))

    assert crm.row(DURATIONS, "days_open") == (0,)


def test_a_task_that_is_done_in_time_was_not_closed_late(crm: RawTables) -> None:
    crm.add("open_tasks", 1, created_at=ago(days=1), due_date=ago(days=0) + timedelta(days=1))
    crm.build("snapshots.open_tasks_history")
    crm.log("open_tasks", SECOND)

    assert crm.row(DURATIONS, "was_closed_late") == (False,)


def test_a_task_that_lost_owner_and_due_date_ends_without_them(crm: RawTables) -> None:
    crm.add("open_tasks", 1, owner_id=7, due_date=ago(days=3))
    crm.build("snapshots.open_tasks_history")
    crm.change("open_tasks", 1, owner_id=None, due_date=None)
    crm.build("snapshots.open_tasks_history")
    crm.log("open_tasks", SECOND)

    assert crm.row(DURATIONS, "owner_id", "due_at", "was_closed_late", "owners") == (None, None, None, 1)


def test_a_task_is_postponed_whenever_a_later_due_date_follows(crm: RawTables) -> None:
    """Tasks with all orders of no due date and two of them."""
    first, second = utc("2026-12-01"), utc("2027-02-01")
    orders = list(product([None, first, second], repeat=4))
    crm.add_each("open_tasks", due_date=[order[0] for order in orders])
    for build in range(4):
        due = [order[build] for order in orders]
        crm.connection.execute("update raw.open_tasks set due_date = cast(? as timestamptz[])[id + 1]", [due])
        crm.build("snapshots.open_tasks_history")

    expected = [(task, postponed(order), order[-1]) for task, order in enumerate(orders)]
    assert crm.rows(DURATIONS, "task_id", "times_postponed", "due_at") == expected


def postponed(due_dates: tuple[datetime | None, ...]) -> int:
    """How often a due date is later than the one before, leaving out times without one."""
    dates = [date for date in due_dates if date]
    return sum(later > earlier for earlier, later in pairwise(dates))
