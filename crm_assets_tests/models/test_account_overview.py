"""marts.account_overview: one row per account, with won deals, open tasks and the last contact."""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from crm_assets_tests.models.raw_tables import RawTables, assert_each
from crm_assets_tests.models.times import ago, ahead

OVERVIEW = "marts.account_overview"
ACME = json.dumps([{"type": "SalesAccount", "id": 1}])


@pytest.fixture(autouse=True)
def acme(crm: RawTables) -> None:
    """Account 1."""
    crm.add("accounts", 1, name="Acme")


@pytest.mark.slow
def test_accounts_and_contacts_in_the_recycle_bin_do_not_count(crm: RawTables) -> None:
    crm.add("accounts", 2, is_deleted=True)
    crm.add("contacts", 11, sales_account_id=1)
    crm.add("contacts", 12, sales_account_id=1, is_deleted=True)

    assert crm.rows(OVERVIEW, "account_id", "contacts") == [(1, 1)]


@pytest.mark.slow
def test_number_is_unknown_if_the_list_names_no_account(crm: RawTables) -> None:
    for resource in ("contacts", "won_deals"):
        crm.add(resource, 11)

    assert (1, None, None, None) in crm.rows(OVERVIEW, "account_id", "contacts", "won_deals", "won_amount")


@pytest.mark.slow
def test_deals_without_a_listed_account_are_one_row(crm: RawTables) -> None:
    crm.add("accounts", 2, name="Deleted", is_deleted=True)
    for deal, account in enumerate([1, 2, 3, None], 21):
        crm.add("won_deals", deal, sales_account_id=account, amount=Decimal(2**deal), closed_date=date(2026, 1, deal))
    crm.add("won_deals", 25, amount=Decimal(5), is_deleted=True)

    name, rest = "Deals without a listed account", Decimal(2**22 + 2**23 + 2**24)
    assert crm.rows(OVERVIEW, "account_name", "account_id", "won_deals", "won_amount", "last_won_on") == [
        ("Acme", 1, 1, Decimal(2**21), date(2026, 1, 21)),
        (name, None, 3, rest, date(2026, 1, 24)),
    ]
    assert crm.rows(OVERVIEW, "account_id", "contacts", "open_tasks", "overdue_tasks", "past_appointments") == [
        (1, 0, 0, 0, 0),
        (None, None, None, None, None),
    ]


def test_the_last_activity_is_the_latest_that_has_happened(crm: RawTables) -> None:
    week_ago, month_ago = ago(days=7), ago(days=30)
    met: dict[str, tuple[dict[str, Any], datetime, datetime]] = {
        "contact": ({"last_contacted": week_ago}, month_ago, week_ago),
        "activity": ({"last_contacted_via_sales_activity": week_ago}, month_ago, week_ago),
        "appointment": ({"last_contacted": month_ago}, week_ago, week_ago),
        "still to come": ({"last_contacted_via_sales_activity": ahead(days=5)}, week_ago, week_ago),
        "appointment still to come": ({"last_contacted": week_ago}, ahead(days=1), week_ago),
    }
    crm.connection.execute("delete from raw.accounts")
    for account, (_, met_at, _) in enumerate(met.values()):
        named = json.dumps([{"type": "SalesAccount", "id": account}])
        crm.add("past_appointments", account, targetables=named, from_date=met_at)

    cases = {name: (account, last) for name, (account, _, last) in met.items()}
    assert_each(crm, "accounts", cases, OVERVIEW, "last_activity_at")


def test_tasks_that_are_done_do_not_count(crm: RawTables) -> None:
    crm.add("open_tasks", 31, targetables=ACME, status=1)

    assert crm.row(OVERVIEW, "open_tasks") == (0,)
