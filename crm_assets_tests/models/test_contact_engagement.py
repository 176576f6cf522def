"""marts.contact_engagement: one row a contact, with its engagement."""

import json

from crm_assets_tests.models.raw_tables import RawTables, assert_each
from crm_assets_tests.models.times import ago, ahead

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
