"""Every mart has all won deals: their numbers and amounts are those of staging, and a data test says so."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import duckdb
import pytest

from crm_assets.errors import WrongRows
from crm_assets.runner.builds import build
from crm_assets.sandbox.chance import Dice
from crm_assets_tests.models.raw_tables import RawTables, failing, models

pytestmark = pytest.mark.slow

MARTS = (
    "won_deal_overview",
    "account_overview",
    "owner_month",
    "won_revenue_monthly",
    "owner_performance",
    "pipeline_health_daily",
    "customer_value",
)


@pytest.fixture(scope="module")
def crm() -> Iterator[RawTables]:
    """All marts of deals with and without owner, account and date; some accounts are gone or deleted."""
    with duckdb.connect() as connection:
        crm, dice = RawTables(connection), Dice(11)
        crm.add_each("accounts", is_deleted=[account == 0 for account in range(5)])
        deals = range(200)
        crm.add_each(
            "won_deals",
            sales_account_id=[dice.pick([0, 1, 2, 3, 77, 88, None]) for _ in deals],
            owner_id=[dice.pick([1, 2, None]) for _ in deals],
            amount=[Decimal(dice.number(0, 10**9)) / 1000 for _ in deals],
            closed_date=[date(2026, 1, 1) + timedelta(days=dice.number(0, 400)) for _ in deals],
            is_deleted=[dice.happens(0.1) for _ in deals],
        )
        crm.build(*(f"marts.{mart}" for mart in MARTS))
        yield crm


@pytest.mark.long
@pytest.mark.parametrize("mart", MARTS)
def test_each_mart_adds_up_to_all_won_deals(crm: RawTables, mart: str) -> None:
    count = "count(*)" if mart == "won_deal_overview" else "sum(won_deals)"
    won = crm.connection.execute("select count(*), sum(amount) from raw.won_deals where not is_deleted").fetchall()

    found = crm.connection.execute(f"select {count}, sum(won_amount) from marts.{mart}").fetchall()
    assert found == won
    assert failing(crm, f"marts.{mart}", "has_all_won_deals") == 0


@pytest.mark.parametrize("mart", MARTS)
def test_a_mart_without_some_deals_fails_its_test(crm: RawTables, mart: str) -> None:
    crm.connection.execute(f"begin; update marts.{mart} set won_amount = won_amount - 1 where won_amount is not null")
    failed = failing(crm, f"marts.{mart}", "has_all_won_deals")
    crm.connection.execute("rollback")

    assert failed == 1


def test_a_mart_without_some_deals_is_not_built(crm: RawTables) -> None:
    mart = models()["marts.account_overview"]
    text = mart.text.replace("full outer join deal_sums", "left join deal_sums")
    assert text != mart.text

    with pytest.raises(WrongRows, match="has_all_won_deals: Number or amount"):
        build(crm.connection, replace(mart, text=text))
