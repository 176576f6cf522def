"""Whole-day appointments belong to the day that was sent, wherever it is reported on."""

import json
from collections import Counter
from datetime import date, datetime, time, timedelta, timezone
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crm_assets_tests.models.raw_tables import RawTables

pytestmark = pytest.mark.slow

STAGING = "staging.stg_past_appointments"
# Around both changes of clocks in Los Angeles and Berlin, ends of months and of a year, and a leap day.
DAYS = [
    *(date(2026, 3, 7) + timedelta(days=days) for days in range(25)),
    *(date(2025, 10, 24) + timedelta(days=days) for days in range(12)),
    date(2024, 2, 29),
    date(2025, 12, 31),
    date(2026, 1, 1),
]
# Kathmandu is at +05:45, Auckland is at +13:00 in summer.
ZONES = ["America/Los_Angeles", "Asia/Kathmandu", "Pacific/Auckland", "Europe/Berlin"]
ENDS = (timedelta(days=1), timedelta(days=1, seconds=-1), timedelta(days=1, minutes=-1), timedelta(days=3), timedelta())


@pytest.fixture(scope="module", params=ZONES)
def zone(request: pytest.FixtureRequest) -> ZoneInfo:
    return ZoneInfo(request.param)


def send(tables: RawTables, start: datetime, end: datetime) -> None:
    """Adds a whole-day appointment."""
    [[id_]] = tables.connection.execute("select count(*) from raw.past_appointments").fetchall()
    utc: dict[str, Any] = {"from_date": start.astimezone(timezone.utc), "end_date": end.astimezone(timezone.utc)}
    tables.add("past_appointments", id_, is_allday=True, creater_id=7, **utc)


def sent_days(tables: RawTables) -> list[date]:
    return [day for _, day in tables.rows(STAGING, "appointment_id", "held_on")]


def midnight(day: date, zone: timezone | ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


@pytest.mark.long
def test_a_day_sent_as_midnight_in_utc_is_that_day(tables: RawTables) -> None:
    for day in DAYS:
        send(tables, midnight(day, timezone.utc), midnight(day, timezone.utc) + timedelta(days=1))

    assert sent_days(tables) == DAYS
    weeks = Counter(day - timedelta(days=day.weekday()) for day in DAYS)
    assert tables.rows("marts.meeting_activity_weekly", "week", "all_day_meetings") == sorted(weeks.items())


@pytest.mark.long
def test_a_day_sent_with_an_offset_is_that_day(tables: RawTables, zone: ZoneInfo) -> None:
    expected = []
    for quarters in range(-11 * 4, 12 * 4 + 1):
        day, end = DAYS[quarters % len(DAYS)], ENDS[quarters % len(ENDS)]
        start = midnight(day, timezone(timedelta(minutes=15 * quarters)))
        # At 11:00 UTC it is midnight at -11:00 and at +13:00. Then it counts as the reporting zone's.
        if start.astimezone(zone).time() != time():
            send(tables, start, start + end)
            expected.append(day)

    assert sent_days(tables) == expected


def test_a_day_entered_in_the_far_east_is_that_day(tables: RawTables) -> None:
    far_east = {
        "Auckland": "Pacific/Auckland",
        "Chatham Is.": "Pacific/Chatham",
        "Nuku'alofa": "Pacific/Tongatapu",
        "Samoa": "Pacific/Apia",
        "Tokelau Is.": "Pacific/Fakaofo",
        "Wellington": "Pacific/Auckland",
    }
    for id_, ((name, sent_in), day) in enumerate(product(far_east.items(), DAYS)):
        start = midnight(day, ZoneInfo(sent_in))
        tables.add("past_appointments", id_, is_allday=True, from_date=start, time_zone=name)

    assert sent_days(tables) == DAYS * len(far_east)


@pytest.mark.parametrize("hours", [-8, 9])
def test_a_day_without_an_end_is_that_of_its_start(tables: RawTables, hours: int) -> None:
    start = midnight(DAYS[0], timezone(timedelta(hours=hours)))
    tables.add("past_appointments", 1, is_allday=True, from_date=start)

    assert sent_days(tables) == [DAYS[0]]


def test_a_day_sent_in_the_reporting_zone_is_that_day(tables: RawTables, zone: ZoneInfo) -> None:
    for day in DAYS:
        send(tables, midnight(day, zone), midnight(day + timedelta(days=1), zone))

    assert sent_days(tables) == DAYS


def test_hours_marked_as_a_whole_day_are_of_the_zones_day(tables: RawTables, zone: ZoneInfo) -> None:
    for day in DAYS:
        send(tables, datetime.combine(day, time(9), zone), datetime.combine(day, time(17), zone))

    assert sent_days(tables) == DAYS


def test_a_day_without_a_start_is_that_of_its_end(tables: RawTables) -> None:
    for id_, end in enumerate([time(), time(23, 59), time(23, 59, 59, 999999)]):
        instant = datetime.combine(DAYS[0], end, timezone.utc)
        tables.add("past_appointments", id_, is_allday=True, end_date=instant)

    assert sent_days(tables) == [DAYS[0]] * 3


@pytest.mark.long
def test_days_since_a_whole_day_are_counted_from_that_day(tables: RawTables, zone: ZoneInfo) -> None:
    [[now]] = tables.connection.execute("select now()").fetchall()
    day = now.astimezone(zone).date() - timedelta(days=20)
    named = json.dumps([{"type": "SalesAccount", "id": 1}, {"type": "Contact", "id": 11}])
    tables.add("accounts", 1)
    tables.add("contacts", 11)
    tables.add(
        "past_appointments", 1, is_allday=True, from_date=midnight(day, timezone.utc), targetables=named, creater_id=7
    )

    assert tables.row("marts.account_overview", "last_activity_on", "days_since_last_activity") == (day, 20)
    assert tables.row("marts.contact_engagement", "days_since_last_contact") == (20,)
