"""Marts of contacts, tasks and meetings: what the sandbox does not show. `recomputed` counts their figures."""

import json
from decimal import Decimal

from crm_assets_tests.models.raw_tables import RawTables, assert_each
from crm_assets_tests.models.times import ago, ahead, utc

ENGAGEMENT = "marts.contact_engagement"
ANN = json.dumps([{"type": "Contact", "id": 11}])


def test_engagement_goes_by_the_days_since_last_contact(crm: RawTables) -> None:
    cases = {
        "30 days": ({"last_contacted": ago(days=30)}, "active"),
        "31 days": ({"last_contacted": ago(days=31)}, "cooling"),
        "90 days": ({"last_contacted": ago(days=90)}, "cooling"),
        "91 days": ({"last_contacted": ago(days=91)}, "dormant"),
        "still to come": ({"last_contacted": ahead(days=3)}, "never"),
        "unknown": ({}, "never"),
    }
    assert_each(crm, "contacts", cases, ENGAGEMENT, "engagement")


def test_a_contact_has_the_name_of_an_account_that_is_listed(crm: RawTables) -> None:
    crm.add("accounts", 1, name="Acme")
    crm.add("accounts", 2, name="Deleted", is_deleted=True)
    names = {1: "Acme", 2: "Deleted", 77: None, None: None}

    cases = {str(account): ({"sales_account_id": account}, account, name) for account, name in names.items()}
    assert_each(crm, "contacts", cases, ENGAGEMENT, "account_id", "account_name")


def test_contacts_in_the_recycle_bin_are_left_out(crm: RawTables) -> None:
    crm.add("contacts", 11, is_deleted=True)

    assert crm.rows(ENGAGEMENT, "contact_id") == []


BACKLOG = "marts.task_backlog"


def test_share_of_overdue_tasks_is_rounded_half_up(crm: RawTables) -> None:
    crm.add_each("open_tasks", owner_id=[7] * 800, due_date=[ago(days=2)] * 57 + [None] * 743)

    assert crm.row(BACKLOG, "overdue_share") == (Decimal("0.0713"),)


def test_tasks_without_any_date_are_overdue_by_no_number(crm: RawTables) -> None:
    crm.add("open_tasks", 1, owner_id=7)

    assert crm.row(BACKLOG, "overdue_tasks", "days_overdue_at_most") == (0, None)


def test_tasks_that_are_done_do_not_count(crm: RawTables) -> None:
    crm.add("open_tasks", 1, status=1)

    assert crm.rows(BACKLOG, "owner") == []


def test_tasks_that_nobody_owns_have_a_row(crm: RawTables) -> None:
    for task, account in enumerate([1, 1, 2]):
        crm.add("open_tasks", task, targetables=json.dumps([{"type": "SalesAccount", "id": account}]))

    assert crm.row(BACKLOG, "owner", "owner_id", "open_tasks", "accounts") == ("unassigned", None, 3, 2)


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
