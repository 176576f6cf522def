"""marts.won_deal_overview: one row a won deal."""

from datetime import date

import pytest

from crm_assets_tests.models.raw_tables import RawTables

OVERVIEW = "marts.won_deal_overview"


def test_deal_names_account_owner_stage_and_pipeline(crm: RawTables) -> None:
    crm.add("accounts", 5, name="Acme", country="Germany")
    crm.add("won_deals", 1, sales_account_id=5, owner_id=7, deal_stage_id=8, deal_pipeline_id=9, deal_type_id=9)
    crm.side_load("users", 7, display_name="Ada")
    crm.side_load("deal_stages", 8, name="Won")
    crm.side_load("deal_pipelines", 9, name="Standard")
    crm.side_load("deal_types", 9, name="Renewal")

    columns = ("account_name", "account_country", "owner_name", "stage_name", "pipeline_name", "deal_type_name")
    assert crm.row(OVERVIEW, *columns) == ("Acme", "Germany", "Ada", "Won", "Standard", "Renewal")


def test_deal_is_shown_without_names(crm: RawTables) -> None:
    crm.add("won_deals", 1, sales_account_id=5, owner_id=7, deal_stage_id=8)

    assert crm.row(OVERVIEW, "deal_id", "account_name", "owner_name", "stage_name") == (1, None, None, None)


def test_a_deleted_deal_is_left_out(crm: RawTables) -> None:
    crm.add("won_deals", 1, is_deleted=True)

    assert crm.rows(OVERVIEW, "deal_id") == []


@pytest.mark.parametrize(
    ("expected", "days"), [(date(2026, 1, 5), 5), (date(2026, 1, 12), -2), (date(2026, 1, 10), 0), (None, None)]
)
def test_a_deal_is_compared_with_the_day_it_was_expected_on(
    crm: RawTables, expected: date | None, days: int | None
) -> None:
    crm.add("won_deals", 1, closed_date=date(2026, 1, 10), expected_close=expected)

    assert crm.row(OVERVIEW, "days_after_expected_close") == (days,)


def test_a_customer_is_new_on_the_first_day_of_winning(crm: RawTables) -> None:
    crm.add("won_deals", 1, sales_account_id=5, closed_date=date(2026, 1, 10))
    crm.add("won_deals", 2, sales_account_id=5, closed_date=date(2026, 1, 10))
    crm.add("won_deals", 3, sales_account_id=5, closed_date=date(2026, 2, 10))
    crm.add("won_deals", 4, sales_account_id=6, closed_date=date(2026, 2, 10))
    crm.add("won_deals", 5, closed_date=date(2026, 2, 10))

    new = [(1, True), (2, True), (3, False), (4, True), (5, None)]
    assert crm.rows(OVERVIEW, "deal_id", "is_from_new_customer") == new
