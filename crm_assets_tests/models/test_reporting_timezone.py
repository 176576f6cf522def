"""Days, weeks and months of the marts are those of the reporting time zone, as Python reckons them."""

from collections import Counter
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from crm_assets_tests.models.raw_tables import RawTables

ZONES = ["America/New_York", "Asia/Kolkata"]  # other tests report in UTC

INSTANTS = [
    datetime(*day, hour, minute, tzinfo=timezone.utc)
    # Ends of months and of a year, both changes of New York's clocks, and a leap day.
    for day in [(2025, 12, 31), (2026, 1, 1), (2026, 2, 28), (2026, 3, 8), (2026, 3, 9), (2025, 11, 2), (2024, 2, 29)]
    for hour in (0, 3, 4, 5, 6, 7, 18, 19, 23)
    for minute in (0, 29, 30, 59)
]


@pytest.fixture(scope="module", params=ZONES)
def zone(request: pytest.FixtureRequest) -> ZoneInfo:
    return ZoneInfo(request.param)


def now(tables: RawTables) -> datetime:
    """The moment that the models' statements see: with a transaction under way it stands still."""
    [[instant]] = tables.connection.execute("select now()").fetchall()
    assert isinstance(instant, datetime)
    return instant


def day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


@pytest.mark.slow
def test_deals_without_closing_date_use_the_month_of_the_zone(tables: RawTables, zone: ZoneInfo) -> None:
    created = [INSTANTS[0] - timedelta(days=900)] * len(INSTANTS)
    tables.add_each("won_deals", stage_updated_time=INSTANTS, created_at=created)

    expected = Counter(day(instant, zone).replace(day=1) for instant in INSTANTS)
    assert tables.rows("marts.won_revenue_monthly", "month", "won_deals") == sorted(expected.items())


def test_days_to_win_are_counted_in_the_zone(tables: RawTables, zone: ZoneInfo) -> None:
    tables.add_each("won_deals", stage_updated_time=INSTANTS[1:], created_at=INSTANTS[:-1])

    lasted = [(day(won, zone) - day(entered, zone)).days for entered, won in pairwise(INSTANTS)]
    assert tables.rows("staging.stg_won_deals", "deal_id", "days_to_win") == [
        (id_, days if days >= 0 else None) for id_, days in enumerate(lasted)
    ]


@pytest.mark.slow
def test_days_overdue_are_counted_in_the_zone(tables: RawTables, zone: ZoneInfo) -> None:
    today = day(now(tables), zone)
    tables.add_each("open_tasks", owner_id=range(len(INSTANTS)), due_date=INSTANTS)

    expected = [(id_, (today - day(instant, zone)).days) for id_, instant in enumerate(INSTANTS)]
    assert tables.rows("marts.task_backlog", "owner_id", "days_overdue_at_most") == expected


def test_a_week_ahead_ends_at_the_same_time_of_day_in_the_zone(tables: RawTables, zone: ZoneInfo) -> None:
    in_a_week = (now(tables).astimezone(zone).replace(tzinfo=None) + timedelta(days=7)).replace(tzinfo=zone)
    tables.add("open_tasks", 1, due_date=in_a_week.astimezone(timezone.utc) - timedelta(minutes=5))
    tables.add("open_tasks", 2, due_date=in_a_week.astimezone(timezone.utc) + timedelta(minutes=55))

    assert tables.row("marts.task_backlog", "due_this_week", "due_later") == (1, 1)


def test_a_view_means_the_same_to_a_reader_of_another_time_zone(tables: RawTables, zone: ZoneInfo) -> None:
    tables.add_each("past_appointments", from_date=INSTANTS)
    tables.build("staging.stg_past_appointments")

    with tables.connection.cursor() as reader:  # a session of its own, without the variable
        reader.execute("set TimeZone = 'Pacific/Auckland'")
        seen = reader.execute("select held_on from staging.stg_past_appointments order by appointment_id").fetchall()
    assert seen == [(day(instant, zone),) for instant in INSTANTS]
