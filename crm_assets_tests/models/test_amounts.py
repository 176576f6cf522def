"""Amounts of won deals: which ones count, in which currency, and that none is too large for a mart."""

from datetime import date
from decimal import Context, Decimal
from functools import reduce
from typing import Any

import pytest

from crm_assets_tests.models.raw_tables import RawTables, failing
from crm_assets_tests.models.times import ago

DEALS, CHECK = "staging.stg_won_deals", "amounts_are_in_the_companys_currency"
MILLION, EXACT = Decimal(1_000_000), Context(prec=60)
CONVERTED = [
    {"amount": Decimal(100), "base_currency_amount": Decimal(100), "currency_id": 1},
    {"amount": Decimal(0), "base_currency_amount": Decimal(0), "currency_id": 2},
    {"amount": Decimal(200), "base_currency_amount": Decimal("1.25"), "currency_id": 2},
    {"amount": Decimal("0.005"), "base_currency_amount": Decimal("0.01"), "currency_id": 1},
    {"amount": Decimal(300), "base_currency_amount": Decimal(300), "currency_id": 1},
]
"""Deals of a company whose currency is 1."""


@pytest.mark.long
@pytest.mark.parametrize(
    ("others", "deal", "source", "counts", "warns"),
    [
        pytest.param(CONVERTED, {"currency_id": 2}, "not converted", False, True, id="another currency"),
        pytest.param(CONVERTED, {"currency_id": 3}, "not converted", False, True, id="a currency of no other deal"),
        pytest.param(CONVERTED, {}, "not converted", False, True, id="no word of its currency"),
        pytest.param(CONVERTED, {"currency_id": 1}, "same currency", True, False, id="the company's currency"),
        pytest.param([], {"currency_id": 2}, "unknown currency", True, True, id="a CRM that converts nothing"),
        pytest.param([], {}, "unknown currency", True, True, id="a CRM without currencies"),
        pytest.param([], {"base_currency_amount": MILLION}, "base", True, False, id="converted"),
        pytest.param([], {"amount": None}, None, False, False, id="no amount"),
    ],
)
def test_an_amount_counts_by_what_is_known_of_its_currency(
    crm: RawTables, others: list[dict[str, Any]], deal: dict[str, Any], source: str | None, counts: bool, warns: bool
) -> None:
    for id_, other in enumerate(others, 1):
        crm.add("won_deals", id_, **other)
    crm.add("won_deals", 99, **{"amount": MILLION, **deal})

    expected = (99, source, MILLION if counts else None)
    assert crm.rows(DEALS, "deal_id", "amount_source", "won_amount")[-1] == expected
    assert crm.rows("marts.won_deal_overview", "deal_id", "amount_source", "won_amount")[-1] == expected
    assert failing(crm, DEALS, CHECK) == warns
    [[total]] = crm.connection.execute("select sum(won_amount) from marts.won_deal_overview").fetchall()
    converted = sum((other["base_currency_amount"] for other in others), Decimal(0))
    assert (total or 0) == converted + (MILLION if counts else 0)


def test_sum_of_almost_nothing_stops_no_mart(crm: RawTables) -> None:
    for account, amount in enumerate([Decimal(10**20), Decimal("0.01") - 10**20], 1):
        crm.add("accounts", account)
        crm.add("won_deals", account, sales_account_id=account, closed_date=ago(days=1).date(), amount=amount)

    [(huge,), one] = crm.rows("marts.customer_value", "cumulative_share_12m")[::-1]
    assert (round(huge / 10**22, 9), one) == (1, (1,))


@pytest.mark.long
@pytest.mark.parametrize("digits", [20, 21, 29])
@pytest.mark.parametrize("field", ["amount", "base_currency_amount"])
def test_one_large_amount_counts_exactly_or_not_at_all(crm: RawTables, digits: int, field: str) -> None:
    large = Decimal("9" * digits + ".999999999")
    for deal, amount in enumerate([large, large, Decimal("0.01")]):
        sent: dict[str, Any] = {field: amount}
        crm.add("won_deals", deal, sales_account_id=1, owner_id=402000017001, closed_date=date(2026, 1, 9), **sent)
    crm.add("accounts", 1, open_deals_amount=large)
    crm.add("accounts", 2, open_deals_amount=-large)

    counts = digits <= 20
    expected = EXACT.add(Decimal("0.01"), EXACT.add(large, large)) if counts else Decimal("0.01")
    for mart in ("account_overview", "owner_month", "owner_performance", "pipeline_health_daily"):
        amounts = (amount for (amount,) in crm.rows(f"marts.{mart}", "won_amount"))
        assert reduce(EXACT.add, filter(None, amounts)) == expected
    affected = dict(crm.rows("marts.data_quality", "check_name", "amount_affected"))
    assert affected["deals without an amount in the company's currency"] == (expected if field == "amount" else 0)
    if not counts:
        assert failing(crm, DEALS, CHECK) == (3 if field == "amount" else 2)
        assert failing(crm, "staging.stg_accounts", "crm_open_deals_amount_counts") == 2


def test_closing_dates_in_the_future_warn(crm: RawTables) -> None:
    [[today]] = crm.connection.execute("select cast(now() at time zone 'UTC' as date)").fetchall()
    crm.add("won_deals", 1, closed_date=today)
    crm.add("won_deals", 2, closed_date=today.replace(year=today.year + 1, day=1))
    crm.build(DEALS)

    assert failing(crm, DEALS, "closed_by_today") == 1
