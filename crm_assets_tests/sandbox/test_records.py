"""The generated records."""

import re
from datetime import date

import pytest

from crm_assets_tests.sandbox.client import NOW, PATHS, Client, Row, instant

Lists = dict[str, list[Row]]

ALWAYS = {
    "/v1/accounts": """id name tags links created_at is_deleted updated_at custom_field won_deals_count
        last_assigned_at open_deals_count won_deals_amount open_deals_amount""",
    "/v1/contacts": """id tags email links emails mcr_id last_name created_at first_name is_deleted lead_score
        updated_at system_tags custom_field customer_fit display_name phone_numbers won_deals_count
        last_assigned_at open_deals_count won_deals_amount open_deals_amount subscription_types
        subscription_status sms_subscription_status whatsapp_subscription_status""",
    "/v1/deals": """id name amount base_currency_amount deal_stage_id probability created_at updated_at
        deal_pipeline_id stage_updated_time custom_field age links collaboration tags expected_deal_value
        is_deleted deal_prediction""",
    "/v1/tasks": """id title description due_date owner_id status creater_id created_at updated_at updater_id
        targetables""",
    "/v1/appointments": """id from_date end_date time_zone title creater_id created_at updated_at is_allday
        can_checkin_checkout targetables can_checkin provider""",
}
"""The fields that the API never leaves out nor null."""

MONEY = re.compile(r"\d+\.\d+")


@pytest.mark.parametrize("path", PATHS)
def test_fields_that_are_never_missing_never_are(lists: Lists, path: str) -> None:
    for record in lists[path]:
        assert all(record.get(field) is not None for field in ALWAYS[path].split())


def test_ids_need_all_of_64_bits(lists: Lists) -> None:
    assert all(2**53 < contact["mcr_id"] < 2**63 for contact in lists["/v1/contacts"])


def test_money_is_a_text_with_a_decimal_point(lists: Lists) -> None:
    for deal in lists["/v1/deals"]:
        assert MONEY.fullmatch(deal["amount"])
        assert MONEY.fullmatch(deal["base_currency_amount"])
        assert MONEY.fullmatch(deal["expected_deal_value"])


def test_revenue_is_a_whole_number_or_unknown(lists: Lists) -> None:
    assert {type(account["annual_revenue"]) for account in lists["/v1/accounts"]} == {int, type(None)}


def test_texts_of_digits_are_texts(lists: Lists) -> None:
    assert any(account["zipcode"].startswith("0") for account in lists["/v1/accounts"])
    assert any((contact["facebook"] or "").isdecimal() for contact in lists["/v1/contacts"])


def test_subscription_types_may_be_empty(lists: Lists) -> None:
    assert {"", "2;5"} <= {contact["subscription_types"] for contact in lists["/v1/contacts"]}


def test_closing_dates_have_no_time(lists: Lists) -> None:
    for deal in lists["/v1/deals"]:
        assert date.fromisoformat(deal["closed_date"]) <= NOW.date()


def test_offsets_differ_within_a_record(lists: Lists) -> None:
    offsets = [{deal[field][19:] for field in ("created_at", "updated_at")} for deal in lists["/v1/deals"]]
    assert set().union(*offsets) == {"Z", "-05:00", "+01:00"}
    assert any(len(both) > 1 for both in offsets)


def test_custom_fields_are_of_mixed_types(lists: Lists) -> None:
    values = [value for account in lists["/v1/accounts"] for value in account["custom_field"].values()]
    assert {type(value) for value in values} == {str, int, float, bool, type(None)}
    assert all(key.startswith("cf_") for key in lists["/v1/deals"][0]["custom_field"])


def test_deals_carry_tokens_that_nobody_should_load(lists: Lists) -> None:
    for deal in lists["/v1/deals"]:
        assert deal["fc_widget_collaboration"]["convo_token"].startswith("eyJ")
    assert any("convo_token" in deal["collaboration"] for deal in lists["/v1/deals"])


def test_a_change_can_precede_the_creation(lists: Lists) -> None:
    early = [row for rows in lists.values() for row in rows if instant(row["updated_at"]) < instant(row["created_at"])]
    assert 0 < len(early) < 40


def test_nothing_was_created_or_changed_in_the_future(lists: Lists) -> None:
    for rows in lists.values():
        assert all(instant(row[field]) <= NOW for row in rows for field in ("created_at", "updated_at"))


def test_appointments_are_over_and_have_begun_before(lists: Lists) -> None:
    for meeting in lists["/v1/appointments"]:
        assert instant(meeting["created_at"]) < instant(meeting["from_date"])
        assert instant(meeting["from_date"]) < instant(meeting["end_date"]) <= NOW


def test_some_tasks_are_overdue_and_most_are_not(lists: Lists) -> None:
    overdue = sum(instant(task["due_date"]) < NOW for task in lists["/v1/tasks"])
    assert 0.03 < overdue / len(lists["/v1/tasks"]) < 0.3


def test_deals_took_days_or_months_to_win(lists: Lists) -> None:
    days = sorted(
        (instant(deal["stage_updated_time"]) - instant(deal["created_at"])).days for deal in lists["/v1/deals"]
    )
    assert days[0] >= 2
    assert days[-1] > 90


def test_tasks_and_appointments_are_about_records_that_exist(lists: Lists) -> None:
    known = {
        "Contact": {contact["id"] for contact in lists["/v1/contacts"]},
        "SalesAccount": {account["id"] for account in lists["/v1/accounts"]},
    }
    targets = [
        target
        for path in ("/v1/tasks", "/v1/appointments")
        for record in lists[path]
        for target in record["targetables"]
    ]
    assert {target["type"] for target in targets} == {"Contact", "SalesAccount", "Deal"}
    assert all(target["id"] in known[target["type"]] for target in targets if target["type"] in known)


def test_some_tasks_are_about_nothing(lists: Lists) -> None:
    assert any(not task["targetables"] for task in lists["/v1/tasks"])


def test_deals_and_contacts_belong_to_accounts_that_exist(crm: Client, lists: Lists) -> None:
    accounts = {account["id"] for account in lists["/v1/accounts"]} | {None}
    deals = crm.read("/v1/deals", include="sales_account")
    contacts = crm.read("/v1/contacts", include="sales_accounts")
    assert {record["sales_account_id"] for record in deals + contacts} <= accounts


def test_accounts_have_parents_that_exist(lists: Lists) -> None:
    accounts = {account["id"] for account in lists["/v1/accounts"]}
    parents = {account["parent_sales_account_id"] for account in lists["/v1/accounts"]} - {None}
    assert parents
    assert parents < accounts
