"""marts.customer_value and marts.customer_retention_quarterly: what customers brought, and whether they came back."""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from crm_assets_tests.models.raw_tables import Cases, RawTables, assert_each

VALUE, RETENTION = "marts.customer_value", "marts.customer_retention_quarterly"
TODAY = datetime.now(timezone.utc).date()


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def add_deals(crm: RawTables, account: int | None, *won: date | None, amount: int = 10) -> None:
    """Deals of an account; its first day tells them apart from others."""
    [[number]] = crm.connection.execute("select count(*) from raw.won_deals").fetchall()
    for deal, day in enumerate(won, number):
        crm.add("won_deals", deal, sales_account_id=account, amount=Decimal(amount), closed_date=day)


def test_status_goes_by_first_and_last_win(crm: RawTables) -> None:
    won: dict[str, tuple[list[int | None], str | None, int | None]] = {
        "90 days ago": ([90], "new", 90),
        "91 days ago": ([91], "active", 91),
        "a year ago": ([800, 365], "active", 365),
        "more than a year ago": ([366], "lapsed", 366),
        "twice": ([90, 1], "new", 1),
        "still to come": ([-5], "new", 0),
        "without any date": ([None], None, None),
    }
    for account, (days, *_) in enumerate(won.values()):
        add_deals(crm, account, *(None if day is None else ago(day) for day in days))

    cases: Cases = {name: ({}, len(days), *expected) for name, (days, *expected) in won.items()}
    assert_each(crm, "accounts", cases, VALUE, "won_deals", "status", "days_since_win")


def test_no_share_is_of_a_sum_below_zero(crm: RawTables) -> None:
    for account, amount in ((5, 10), (6, -30)):
        crm.add("accounts", account)
        add_deals(crm, account, ago(10), amount=amount)

    assert crm.rows(VALUE, "revenue_rank_12m", "cumulative_share_12m") == [(1, None), (2, None)]


def test_a_mistyped_year_adds_no_thousand_quarters(crm: RawTables) -> None:
    crm.add("accounts", 5)
    add_deals(crm, 5, date(202, 1, 9), ago(10), date(9999, 1, 9))

    rows = crm.rows(RETENTION, "won_deals")
    assert (len(rows), sum(deals for (deals,) in rows)) == (123, 3)


@pytest.mark.slow
def test_deals_without_a_listed_account_are_one_row(crm: RawTables) -> None:
    crm.add("accounts", 6, is_deleted=True)
    accounts: list[int | None] = [5, 6, None]
    for account in accounts:
        add_deals(crm, account, ago(10))

    columns = ("account_id", "account_name", "won_deals", "won_amount", "status", "revenue_rank_12m")
    assert crm.row(VALUE, *columns) == (None, "Deals without a listed account", 3, 30, None, None)
    assert crm.row(VALUE, "median_days_between_deals", "cumulative_share_12m") == (None, None)
