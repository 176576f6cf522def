"""marts.won_revenue_against_target: one row a month and owner with a target or with deals won."""

from datetime import date
from decimal import Decimal

import pytest

from crm_assets_tests.models.raw_tables import RawTables, failing

MART = "marts.won_revenue_against_target"
OWNER, JANUARY, FEBRUARY = 402000017001, date(2026, 1, 1), date(2026, 2, 1)
"""An owner of the sandbox, whose target is 60,000 a month in the first quarter of 2026."""


def of(crm: RawTables, owner: int | None, *columns: str) -> list[tuple[object, ...]]:
    """The first two months of an owner's year."""
    rows = crm.rows(MART, "owner_id", "month", *columns)
    return [row[1:] for row in rows if row[0] == owner and row[1] in {JANUARY, FEBRUARY}]


def test_won_revenue_is_compared_with_the_target(crm: RawTables) -> None:
    crm.add("won_deals", 1, owner_id=OWNER, amount=Decimal(15000), closed_date=date(2026, 1, 9))

    assert of(crm, OWNER, "won_amount", "target_amount", "difference", "attainment") == [
        (JANUARY, 15000, 60000, -45000, Decimal("0.25")),
        (FEBRUARY, 0, 60000, -60000, 0),
    ]


def test_deals_without_a_target_have_a_row(crm: RawTables) -> None:
    crm.add("won_deals", 1, amount=Decimal(5), closed_date=date(2026, 2, 9))

    assert of(crm, None, "owner", "won_amount", "target_amount", "attainment") == [
        (FEBRUARY, "unassigned", 5, None, None)
    ]


def test_sums_go_from_january(crm: RawTables) -> None:
    crm.add("won_deals", 1, owner_id=OWNER, amount=Decimal(1), closed_date=date(2025, 12, 31))
    crm.add("won_deals", 2, owner_id=OWNER, amount=Decimal(2), closed_date=date(2026, 1, 9))
    crm.add("won_deals", 3, owner_id=OWNER, amount=Decimal(4), closed_date=date(2026, 2, 9))

    assert of(crm, OWNER, "won_amount_this_year", "target_amount_this_year") == [
        (JANUARY, 2, 60000),
        (FEBRUARY, 6, 120000),
    ]


def test_another_crm_has_no_targets_of_the_sandbox(crm: RawTables) -> None:
    crm.read_from("https://example.com")
    crm.add("won_deals", 1, owner_id=OWNER, amount=Decimal(5), closed_date=date(2026, 1, 9))

    assert crm.rows(MART, "owner_id", "won_amount", "target_amount") == [(OWNER, 5, None)]


@pytest.mark.parametrize("base_url", ["the bundled sandbox", "https://example.com"])
def test_targets_of_ones_own_count_alone(crm: RawTables, base_url: str) -> None:
    crm.read_from(base_url)
    crm.set_targets((JANUARY, 7, 100), (FEBRUARY, 8, 200))

    assert crm.rows(MART, "month", "owner_id", "target_amount") == [(JANUARY, 7, 100), (FEBRUARY, 8, 200)]


def test_where_users_are_known_targets_of_others_do_not_count(crm: RawTables) -> None:
    crm.side_load("users", 7, display_name="Ada")
    crm.add("won_deals", 1, owner_id=8, amount=Decimal(5), closed_date=JANUARY)
    crm.set_targets((JANUARY, 7, 100), (JANUARY, 8, 200), (JANUARY, 9, 400))

    assert crm.rows(MART, "owner_id", "target_amount") == [(7, 100), (8, 200)]
    assert failing(crm, MART, "targets_of_known_owners") == 1


def test_any_amount_can_be_compared(crm: RawTables) -> None:
    crm.set_targets((JANUARY, 7, Decimal("0.01")))
    crm.add("won_deals", 1, owner_id=7, amount=Decimal(10) ** 20, closed_date=JANUARY)

    difference, attainment = crm.row(MART, "difference", "attainment")
    assert difference == 10**20 - Decimal("0.01")
    assert float(attainment) == pytest.approx(1e22)
