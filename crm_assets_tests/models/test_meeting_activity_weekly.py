"""marts.meeting_activity_weekly: one row an ISO week and creator with appointments in it."""

import json
from decimal import Decimal
from typing import Any

from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.times import utc

MEETINGS = "marts.meeting_activity_weekly"


def meet(crm: RawTables, id_: int, start: str | None, end: str | None, *, all_day: bool = False) -> None:
    instants = {"from_date": start, "end_date": end}
    known: dict[str, Any] = {column: utc(instant) for column, instant in instants.items() if instant}
    named = json.dumps([{"type": "SalesAccount", "id": id_ % 2}])
    crm.add("past_appointments", id_, creater_id=7, is_allday=all_day, targetables=named, **known)


def test_only_credible_lengths_add_hours(crm: RawTables) -> None:
    meet(crm, 1, "2026-01-05T10:00:00", "2026-01-05T11:30:00")
    meet(crm, 2, "2026-01-06T10:00:00", "2026-01-06T09:00:00")
    meet(crm, 3, "2026-01-06T00:00:00", "2026-01-07T00:00:00", all_day=True)
    meet(crm, 4, "2026-01-06T00:00:00", "2027-01-06T00:00:00")

    columns = ("meetings", "timed_meetings", "all_day_meetings", "meeting_hours", "average_minutes")
    assert crm.row(MEETINGS, *columns) == (4, 1, 1, Decimal("1.5"), Decimal(90))


def test_an_appointment_without_any_time_is_left_out(crm: RawTables) -> None:
    meet(crm, 1, None, None)

    assert crm.rows(MEETINGS, "week") == []


def test_accounts_met_are_counted_once_a_week(crm: RawTables) -> None:
    for appointment in range(3):
        meet(crm, appointment, "2026-01-05T10:00:00", None)

    assert crm.row(MEETINGS, "accounts_met") == (2,)


def test_an_appointment_without_creator_has_a_row(crm: RawTables) -> None:
    crm.add("past_appointments", 1, from_date=utc("2026-01-05T10:00:00"))

    assert crm.row(MEETINGS, "creator", "creator_id") == ("unknown", None)
