"""Marts of won deals: what the sandbox does not show. `recomputed` counts their figures."""

import json
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import pytest

from crm_assets_tests.models.raw_tables import RawTables, assert_each
from crm_assets_tests.models.times import utc

OVERVIEW = "marts.won_deal_overview"


def test_deal_names_account_owner_stage_and_pipeline(crm: RawTables) -> None:
    crm.add("accounts", 5, name="Acme", country="Germany", industry_type_id=9, territory_id=10)
    ids: dict[str, Any] = {
        "owner_id": 7,
        "deal_stage_id": 8,
        "deal_pipeline_id": 9,
        "deal_type_id": 9,
        "deal_product_id": 9,
    }
    crm.add("won_deals", 1, sales_account_id=5, **ids)
    crm.side_load("users", 7, display_name="Ada")
    crm.side_load("deal_stages", 8, name="Won")
    crm.side_load("territories", 10, name="North")
    named = {"deal_pipelines": "Usual", "deal_types": "Renewal", "deal_products": "Seats", "industry_types": "Retail"}
    for array, name in named.items():
        crm.side_load(array, 9, name=name)

    columns = ("account_name", "account_country", "owner_name", "stage_name", "pipeline_name", "deal_type_name")
    assert crm.row(OVERVIEW, *columns) == ("Acme", "Germany", "Ada", "Won", "Usual", "Renewal")
    assert crm.row(OVERVIEW, "product", "industry_name", "territory_name") == ("Seats", "Retail", "North")


def test_a_deleted_deal_is_left_out(crm: RawTables) -> None:
    crm.add("won_deals", 1, is_deleted=True)

    assert crm.rows(OVERVIEW, "deal_id") == []


def test_a_deal_is_compared_with_the_day_it_was_expected_on(crm: RawTables) -> None:
    days = {date(2026, 1, 5): 5, date(2026, 1, 12): -2, date(2026, 1, 10): 0, None: None}
    won = {"closed_date": date(2026, 1, 10)}

    cases = {str(expected): ({**won, "expected_close": expected}, after) for expected, after in days.items()}
    assert_each(crm, "won_deals", cases, OVERVIEW, "days_after_expected_close")


def test_a_customers_deals_are_numbered_and_typed(crm: RawTables) -> None:
    won = [date(2024, 1, 10), date(2024, 1, 10), date(2025, 1, 9), date(2026, 1, 10), None]
    for deal, day in enumerate(won):
        crm.add("won_deals", deal, sales_account_id=5, closed_date=day)
    crm.add("won_deals", 7, sales_account_id=6, closed_date=date(2026, 2, 10))
    crm.add("won_deals", 8, closed_date=date(2026, 2, 10))
    crm.add("won_deals", 9, closed_date=date(2024, 2, 10))

    assert crm.rows(OVERVIEW, "deal_id", "customer_deal_number", "revenue_type") == [
        (0, 1, "first"),
        (1, 2, "repeat"),
        (2, 3, "repeat"),
        (3, 4, "won back"),
        (4, 5, "repeat"),
        (7, 1, "first"),
        (8, None, None),
        (9, None, None),
    ]


def test_meetings_since_an_unknown_day_are_not_counted(crm: RawTables) -> None:
    crm.add("won_deals", 1, sales_account_id=5, closed_date=date(2026, 1, 10))

    assert crm.row(OVERVIEW, "meetings_before_win") == (None,)


def test_meetings_of_the_account_before_the_win_count(crm: RawTables) -> None:
    crm.add("accounts", 5)
    crm.add("contacts", 50, sales_account_id=5)
    entered = utc("2026-01-10T12:00:00")
    crm.add("won_deals", 1, sales_account_id=5, created_at=entered, closed_date=date(2026, 1, 20))
    crm.add("won_deals", 2, sales_account_id=5, created_at=entered, closed_date=date(2026, 1, 7))
    crm.add("won_deals", 3, sales_account_id=6, created_at=entered, closed_date=date(2026, 1, 20))
    crm.add("won_deals", 4, created_at=entered, closed_date=date(2026, 1, 20))
    both = json.dumps([{"type": "SalesAccount", "id": 5}, {"type": "Contact", "id": 50}])
    for meeting, day in enumerate(["05", "10", "18", "21"]):
        crm.add("past_appointments", meeting, targetables=both, from_date=utc(f"2026-01-{day}T09:00:00"))

    columns = ("deal_id", "meetings_before_win", "days_from_last_meeting_to_win")
    assert crm.rows(OVERVIEW, *columns) == [(1, 2, 2), (2, None, 2), (3, 0, None), (4, None, None)]


def test_a_listed_account_is_not_deleted(crm: RawTables) -> None:
    crm.add("accounts", 5)
    crm.add("accounts", 6, is_deleted=True)

    cases = {str(account): ({"sales_account_id": account}, account == 5) for account in (5, 6, 7, None)}
    assert_each(crm, "won_deals", cases, OVERVIEW, "has_listed_account")


def test_deal_is_shown_without_names(crm: RawTables) -> None:
    crm.add("won_deals", 1, sales_account_id=5, owner_id=7, deal_stage_id=8)

    assert crm.row(OVERVIEW, "deal_id", "account_name", "owner_name", "stage_name") == (1, None, None, None)


REVENUE = "marts.won_revenue_monthly"
JANUARY, MARCH = date(2026, 1, 1), date(2026, 3, 1)


def test_deal_without_value_does_not_lower_the_average(crm: RawTables) -> None:
    crm.add("won_deals", 1, closed_date=JANUARY, amount=Decimal(10))
    crm.add("won_deals", 2, closed_date=JANUARY)

    assert crm.row(REVENUE, "won_deals", "won_amount", "average_won_amount") == (2, Decimal(10), Decimal(10))


def test_month_without_values_has_sum_zero_and_no_average(crm: RawTables) -> None:
    crm.add("won_deals", 1, closed_date=JANUARY)

    assert crm.row(REVENUE, "won_amount", "average_won_amount") == (Decimal(0), None)


def test_deals_without_closing_date_are_counted_separately(crm: RawTables) -> None:
    crm.add("won_deals", 1, stage_updated_time=utc("2026-02-28T23:30:00-01:00"))

    assert crm.row(REVENUE, "month", "deals_without_closed_date") == (MARCH, 1)


def test_deals_that_were_deleted_or_have_no_date_are_left_out(crm: RawTables) -> None:
    crm.add("won_deals", 1, closed_date=JANUARY, is_deleted=True)
    crm.add("won_deals", 2)

    assert crm.rows(REVENUE, "month") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "amounts",
    [
        pytest.param(["9007199254740993"], id="more digits than a float"),
        pytest.param(["9007199254740993", "9007199254740992"], id="half of one"),
        pytest.param(["100000000000000000000", "0.01", "0.005"], id="far apart"),
        pytest.param(["0.01", "0"], id="half a hundredth"),
        pytest.param(["-0.03", "0"], id="less than nothing"),
        pytest.param(["123456789.123456789"] * 7, id="nine decimals"),
    ],
)
@pytest.mark.parametrize("mart", [REVENUE, "marts.owner_performance"])
def test_sums_and_averages_are_exact(crm: RawTables, mart: str, amounts: list[str]) -> None:
    for deal, amount in enumerate(amounts):
        crm.add("won_deals", deal, amount=Decimal(amount), closed_date=JANUARY)

    exact = Context(prec=60, rounding=ROUND_HALF_UP)
    total = sum(map(Decimal, amounts), Decimal(0))
    average = exact.quantize(exact.divide(total, Decimal(len(amounts))), Decimal("0.01"))
    assert crm.row(mart, "won_amount", "average_won_amount") == (total, average)
