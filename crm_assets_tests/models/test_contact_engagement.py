"""marts.contact_engagement: one row a contact, with its engagement."""

import json
from datetime import datetime

import pytest

from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.times import ago, ahead

ENGAGEMENT = "marts.contact_engagement"
ANN = json.dumps([{"type": "Contact", "id": 11}])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("last_contact", "engagement"),
    [
        pytest.param(ago(days=30), "active", id="30 days"),
        pytest.param(ago(days=31), "cooling", id="31 days"),
        pytest.param(ago(days=90), "cooling", id="90 days"),
        pytest.param(ago(days=91), "dormant", id="91 days"),
        pytest.param(ahead(days=3), "never", id="still to come"),
        pytest.param(None, "never", id="unknown"),
    ],
)
def test_engagement_goes_by_the_days_since_last_contact(
    crm: RawTables, last_contact: datetime | None, engagement: str
) -> None:
    crm.add("contacts", 11, last_contacted=last_contact)

    assert crm.row(ENGAGEMENT, "engagement") == (engagement,)


def test_meetings_and_tasks_that_name_the_contact_count(crm: RawTables) -> None:
    met = ago(days=3)
    crm.add("contacts", 11)
    crm.add("past_appointments", 51, targetables=ANN, from_date=met)
    crm.add("past_appointments", 52, targetables=ANN, from_date=ahead(days=1))
    crm.add("open_tasks", 31, targetables=ANN)

    assert crm.row(ENGAGEMENT, "meetings", "last_meeting_at", "last_contact_at", "open_tasks") == (2, met, met, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("account_id", "name"), [(1, "Acme"), (2, "Deleted"), (77, None), (None, None)])
def test_a_contact_has_the_name_of_an_account_that_is_listed(
    crm: RawTables, account_id: int | None, name: str | None
) -> None:
    crm.add("accounts", 1, name="Acme")
    crm.add("accounts", 2, name="Deleted", is_deleted=True)
    crm.add("contacts", 11, sales_account_id=account_id)

    assert crm.row(ENGAGEMENT, "account_id", "account_name") == (account_id, name)


def test_contacts_in_the_recycle_bin_are_left_out(crm: RawTables) -> None:
    crm.add("contacts", 11, is_deleted=True)

    assert crm.rows(ENGAGEMENT, "contact_id") == []
