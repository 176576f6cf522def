"""Marts of owners: their months and targets, and all that they have done. `recomputed` counts their figures."""

from calendar import monthrange
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

import pytest

from crm_assets.runner.unchanged import report_in
from crm_assets_tests.models.raw_tables import RawTables, failing
from crm_assets_tests.models.times import ago

MART = "marts.owner_month"
TODAY = datetime.now(timezone.utc).date()
THIS_MONTH = TODAY.replace(day=1)
LAST_MONTH = (THIS_MONTH - timedelta(days=1)).replace(day=1)
NEXT_MONTH = (THIS_MONTH + timedelta(days=40)).replace(day=1)
SANDBOX_OWNERS = range(402000017001, 402000017009)
JANUARY, FEBRUARY, MARCH, APRIL = (date(2026, month, 1) for month in range(1, 5))
FIRST_MONTHS = (JANUARY, FEBRUARY, MARCH, APRIL)


def test_deals_without_owner_or_date_have_rows(crm: RawTables) -> None:
    crm.add("won_deals", 1, amount=Decimal(5), closed_date=THIS_MONTH)
    crm.add("won_deals", 2, amount=Decimal(7))

    columns = ("owner", "month", "won_amount", "won_amount_this_year", "running_won_amount", "is_complete")
    assert crm.rows(MART, *columns) == [
        ("unassigned", THIS_MONTH, 5, 5, 5, False),
        ("unassigned", None, 7, 0, None, None),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "begun", "sums"),
    [
        (1, [JANUARY, JANUARY, JANUARY, JANUARY], [1, 3, 7, 15]),
        (3, [date(2025, 3, 1), date(2025, 3, 1), MARCH, MARCH], [1, 3, 4, 12]),
        (12, [date(2025, 12, 1)] * 4, [1, 3, 7, 15]),
    ],
)
def test_a_fiscal_year_begins_with_its_month(crm: RawTables, start: int, begun: list[date], sums: list[int]) -> None:
    for deal, month in enumerate(FIRST_MONTHS):
        crm.add("won_deals", deal, owner_id=7, amount=Decimal(2**deal), closed_date=month)
    crm.set_targets(*((month, 7, Decimal(2 * 2**deal)) for deal, month in enumerate(FIRST_MONTHS)))
    report_in(crm.connection, "UTC", start)

    columns = ("fiscal_year_from", "won_amount_this_year", "target_this_year", "attainment_this_year")
    rows = crm.rows(MART, "month", "owner_id", *columns)
    report_in(crm.connection, "UTC")
    assert [row[2:] for row in rows if row[0] in FIRST_MONTHS] == [
        (first, won, 2 * won, Decimal("0.5")) for first, won in zip(begun, sums, strict=True)
    ]


def test_a_target_counts_by_the_days_that_have_passed(crm: RawTables) -> None:
    crm.set_targets(*((month, 7, Decimal(100)) for month in (LAST_MONTH, THIS_MONTH, NEXT_MONTH)))
    crm.add("won_deals", 1, owner_id=7, amount=Decimal(30), closed_date=TODAY)
    crm.add("won_deals", 2, owner_id=7, amount=Decimal(70), closed_date=NEXT_MONTH)

    share = Decimal(TODAY.day) / monthrange(TODAY.year, TODAY.month)[1]
    so_far = (100 * share).quantize(Decimal("0.01"), ROUND_HALF_UP)
    attained = (30 / so_far).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    columns = ("won_amount", "won_amount_to_date", "target_to_date", "attainment_to_date", "is_complete")
    assert crm.rows(MART, "month", *columns) == [
        (LAST_MONTH, 0, 0, 100, 0, True),
        (THIS_MONTH, 30, 30, so_far, attained, False),
        (NEXT_MONTH, 70, 0, 0, None, False),
    ]


def test_a_mistyped_year_adds_no_thousand_years(crm: RawTables) -> None:
    for deal, year in enumerate([202, 2026, 9999]):
        crm.add("won_deals", deal, owner_id=7, amount=Decimal(1), closed_date=date(year, 1, 9))

    rows = crm.rows(MART, "month", "won_deals")
    assert len(rows) < 500
    assert [month for month, deals in rows if deals] == [date(202, 1, 1), JANUARY, date(9999, 1, 1)]


@pytest.mark.parametrize(
    ("users", "own", "targets"),
    [
        pytest.param(SANDBOX_OWNERS, [], 96, id="in the sandbox"),
        pytest.param(SANDBOX_OWNERS, [(JANUARY, 402000017001, 100)], 1, id="with targets of one's own"),
        pytest.param(SANDBOX_OWNERS[1:], [], 0, id="in another CRM"),
    ],
)
def test_targets_of_the_sandbox_count(
    crm: RawTables, users: range, own: list[tuple[date, int, int]], targets: int
) -> None:
    for user in users:
        crm.side_load("users", user)
    crm.set_targets(*own)

    assert sum(target is not None for (target,) in crm.rows(MART, "target_amount")) == targets


def test_where_users_are_known_targets_of_others_do_not_count(crm: RawTables) -> None:
    crm.side_load("users", 7, display_name="Ada")
    crm.add("won_deals", 1, owner_id=8, amount=Decimal(5), closed_date=JANUARY)
    crm.set_targets((JANUARY, 7, 100), (JANUARY, 8, 200), (JANUARY, 9, 400))

    rows = crm.rows(MART, "month", "owner_id", "target_amount")
    assert [row[1:] for row in rows if row[0] == JANUARY] == [(7, 100), (8, 200)]
    assert failing(crm, MART, "targets_of_known_owners") == 1


def test_any_amount_can_be_compared(crm: RawTables) -> None:
    crm.set_targets((JANUARY, 7, Decimal("0.01")))
    crm.add("won_deals", 1, owner_id=7, amount=Decimal(10) ** 20, closed_date=JANUARY)

    _, attainment = crm.rows(MART, "month", "attainment_this_year")[0]
    assert float(str(attainment)) == pytest.approx(1e22)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("won", "attained"), [("251.075", "2.5108"), ("-251.075", "-2.5108"), ("251.074999", "2.5107")]
)
def test_attainment_is_rounded_half_away_from_zero(crm: RawTables, won: str, attained: str) -> None:
    crm.set_targets((JANUARY, 7, 100))
    crm.add("won_deals", 1, owner_id=7, amount=Decimal(won), closed_date=JANUARY)

    row = crm.rows(MART, "month", "attainment_to_date", "attainment_this_year")[0]
    assert row == (JANUARY, Decimal(attained), Decimal(attained))


def test_deals_without_any_date_have_a_row_beside_this_month(crm: RawTables) -> None:
    crm.add("won_deals", 1, owner_id=7, amount=Decimal(5))

    assert crm.rows(MART, "month", "won_amount") == [(THIS_MONTH, 0), (None, 5)]


PERFORMANCE = "marts.owner_performance"


def test_an_owner_with_meetings_only_has_a_row(crm: RawTables) -> None:
    crm.add("past_appointments", 1, creater_id=7, from_date=ago(days=1))

    assert crm.rows(PERFORMANCE, "owner_id", "won_deals", "won_amount", "meetings_30_days") == [(7, 0, 0, 1)]


def test_meetings_of_an_unknown_user_are_unassigned(crm: RawTables) -> None:
    crm.add("past_appointments", 1, from_date=ago(days=1))

    assert crm.rows(PERFORMANCE, "owner", "meetings_30_days") == [("unassigned", 1)]


def test_who_may_no_longer_sign_in_is_marked(crm: RawTables) -> None:
    crm.add("accounts", 1, owner_id=7)
    crm.side_load("users", 7, display_name="Ada", is_active=False)

    assert crm.row(PERFORMANCE, "owner_name", "owner_is_active") == ("Ada", False)
