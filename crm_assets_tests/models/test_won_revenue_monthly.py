"""marts.won_revenue_monthly: one row a month and owner with deals won in it."""

from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal

import pytest

from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.times import utc

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
