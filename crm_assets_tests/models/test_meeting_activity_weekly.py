"""marts.meeting_activity_weekly: one row an ISO week and creator with appointments in it."""

import json

from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.times import utc

MEETINGS = "marts.meeting_activity_weekly"


def test_an_appointment_without_any_time_is_left_out(crm: RawTables) -> None:
    crm.add("past_appointments", 1, creater_id=7)

    assert crm.rows(MEETINGS, "week") == []


def test_an_appointment_without_creator_has_a_row(crm: RawTables) -> None:
    crm.add("past_appointments", 1, from_date=utc("2026-01-05T10:00:00"))

    assert crm.row(MEETINGS, "creator", "creator_id") == ("unknown", None)


def test_accounts_met_are_counted_once_a_week(crm: RawTables) -> None:
    for appointment in range(3):
        named = json.dumps([{"type": "SalesAccount", "id": appointment % 2}])
        crm.add("past_appointments", appointment, from_date=utc("2026-01-05T10:00:00"), targetables=named)

    assert crm.row(MEETINGS, "accounts_met") == (2,)
