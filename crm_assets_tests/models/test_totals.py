"""Every mart has all won deals: their numbers and amounts are those of staging, and a data test says so."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from crm_assets.errors import WrongRows
from crm_assets.sandbox.chance import Dice
from crm_assets.sql_models.builds import build
from crm_assets_tests.models.raw_tables import RawTables, failing, models

MARTS = ("won_deal_overview", "account_overview", "won_revenue_monthly", "owner_performance", "pipeline_health_daily")


@pytest.fixture
def deals(crm: RawTables) -> list[Decimal]:
    """The amounts of deals with and without owner, account and date; some accounts are gone or deleted."""
    dice, amounts = Dice(11), []
    for account in range(5):
        crm.add("accounts", account, is_deleted=account == 0)
    for deal in range(200):
        amount, is_deleted = Decimal(dice.number(0, 10**9)) / 1000, dice.happens(0.1)
        crm.add(
            "won_deals",
            deal,
            sales_account_id=dice.pick([0, 1, 2, 3, 77, 88, None]),
            owner_id=dice.pick([1, 2, None]),
            amount=amount,
            closed_date=date(2026, 1, 1) + timedelta(days=dice.number(0, 400)),
            is_deleted=is_deleted,
        )
        if not is_deleted:
            amounts.append(amount)
    return amounts


@pytest.mark.parametrize("mart", MARTS)
def test_each_mart_adds_up_to_all_won_deals(crm: RawTables, deals: list[Decimal], mart: str) -> None:
    count = "count(*)" if mart == "won_deal_overview" else "sum(won_deals)"
    crm.build(f"marts.{mart}")

    found = crm.connection.execute(f"select {count}, sum(won_amount) from marts.{mart}").fetchall()
    assert found == [(len(deals), sum(deals))]
    assert failing(crm, f"marts.{mart}", f"{mart}_has_all_won_deals") == 0


@pytest.mark.parametrize("mart", MARTS)
@pytest.mark.usefixtures("deals")
def test_a_mart_without_some_deals_fails_its_test(crm: RawTables, mart: str) -> None:
    crm.build(f"marts.{mart}")
    crm.connection.execute(f"update marts.{mart} set won_amount = won_amount - 1 where won_amount is not null")

    assert failing(crm, f"marts.{mart}", f"{mart}_has_all_won_deals") == 1


@pytest.mark.usefixtures("deals")
def test_a_mart_without_some_deals_is_not_built(crm: RawTables) -> None:
    crm.build("marts.account_overview")
    mart = models()["marts.account_overview"]
    sql = mart.sql.replace("full outer join deal_sums", "left join deal_sums")
    assert sql != mart.sql

    with pytest.raises(WrongRows, match="account_overview_has_all_won_deals: 1 fail: The rows"):
        build(crm.connection, replace(mart, sql=sql))
