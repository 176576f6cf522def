"""The staging models: how they convert the API's values."""

import json
from datetime import date
from typing import Any

import pytest

from crm_assets_tests.models.raw_tables import RawTables, assert_each, assert_shown
from crm_assets_tests.models.times import utc

LISTED = {"sales_accounts": '[{"id": 1, "name": "Acme"}, {"id": 2}]'}


def marked(*are_primary: Any) -> dict[str, str]:
    """Accounts 1, 2 … sent along with a contact, and what each says of being the primary one."""
    accounts = [{"id": id_, "is_primary": is_primary} for id_, is_primary in enumerate(are_primary, 1)]
    return {"sales_accounts": json.dumps(accounts)}


def test_texts_are_trimmed_and_empty_ones_are_null(crm: RawTables) -> None:
    crm.add("accounts", 1, name="\tAcme \n", city=" \n", zipcode="01234", external_id="")
    crm.side_load("users", 7, display_name="\n", name="Ann\r\n")

    columns = ("account_name", "city", "zipcode", "external_id")
    assert crm.row("staging.stg_accounts", *columns) == ("Acme", None, "01234", None)
    assert crm.row("staging.stg_users", "user_name") == ("Ann",)


def test_account_without_a_flag_counts_as_not_deleted(crm: RawTables) -> None:
    crm.add("accounts", 1)
    crm.add("accounts", 2, is_deleted=True)

    assert crm.rows("staging.stg_accounts", "account_id", "is_deleted") == [(1, False), (2, True)]


def test_tags_are_a_list_of_texts_or_null(crm: RawTables) -> None:
    cases = {
        "list": ({"tags": '["vip", "x"]'}, ["vip", "x"]),
        "empty list": ({"tags": "[]"}, []),
        "object": ({"tags": '{"a": 1}'}, None),
        "JSON null": ({"tags": "null"}, None),
        "nothing": ({}, None),
    }
    assert_each(crm, "accounts", cases, "staging.stg_accounts", "tags")


def test_id_within_a_record_is_a_whole_number(crm: RawTables) -> None:
    whole = {7: 7, -7: -7, 0: 0, "7": 7, "7.0": 7, "7.00": 7}
    others = ["7.", "7.01", "07.0", "7_0", "007", " 7", "7\n", "+7", "0x7", "7e1", "", 7.4, True, None, [7], 2**63]
    sent = [*whole.items(), (7.0, 7), *((other, None) for other in others)]
    for id_, (value, _) in enumerate(sent):
        crm.add("open_tasks", id_, targetables=json.dumps([{"id": value, "type": "Deal"}]))
        crm.side_load("deal_stages", id_, deal_pipeline_id=value)

    cases = {repr(value): ({"sales_accounts": json.dumps([{"id": value}])}, id_) for value, id_ in sent}
    assert_each(crm, "contacts", cases, "staging.stg_contacts", "account_id")
    assert_shown(crm, cases, "staging.stg_deal_stages", "pipeline_id")
    targets = [(task, id_) for task, (_, id_) in enumerate(sent) if id_ is not None]
    assert crm.rows("staging.stg_activity_targets", "activity_id", "target_id") == targets


def test_account_of_a_contact_is_its_own_primary_or_first(crm: RawTables) -> None:
    cases: dict[str, tuple[dict[str, Any], int | None]] = {
        "own field": ({"sales_account_id": 7, **LISTED}, 7),
        "first of the list": (LISTED, 1),
        "id as a text": ({"sales_accounts": '[{"id": "2"}]'}, 2),
        "the one marked as primary": (marked(False, True), 2),
        "marked, behind others": (marked(None, False, True), 3),
        "marked with a number": (marked(0, 1), 2),
        "the first of two that are marked": (marked(True, True), 1),
        "none is marked": (marked(False, False), 1),
        "no word of what is primary": (marked(None, None), 1),
        "marked in a way that nobody knows": (marked(0, "yes", {}), 1),
        "own field before one marked as primary": ({"sales_account_id": 7, **marked(False, True)}, 7),
        "what is no account": ({"sales_accounts": '[null, 5, {"id": 3, "is_primary": true}]'}, 3),
        "empty list": ({"sales_accounts": "[]"}, None),
        "not a list": ({"sales_accounts": '{"id": 1}'}, None),
        "JSON null": ({"sales_accounts": "null"}, None),
        "neither": ({}, None),
    }
    assert_each(crm, "contacts", cases, "staging.stg_contacts", "account_id")


def test_a_contacts_name_is_put_together_where_it_is_not_sent(crm: RawTables) -> None:
    cases = {
        "display name": ({"display_name": "Ann B.", "first_name": "Ann"}, "Ann B."),
        "both names": ({"display_name": "", "first_name": "Ann", "last_name": "Bee"}, "Ann Bee"),
        "last name": ({"first_name": " ", "last_name": "Bee"}, "Bee"),
        "nothing": ({"first_name": " "}, None),
    }
    assert_each(crm, "contacts", cases, "staging.stg_contacts", "full_name")


def test_a_text_that_should_be_a_number_is_null(crm: RawTables) -> None:
    cases = {"a number": ({"total_sessions": "3"}, 3), "none": ({"total_sessions": "n/a"}, None)}
    assert_each(crm, "contacts", cases, "staging.stg_contacts", "chat_sessions")


def test_an_id_beyond_the_range_of_a_float_stays_exact(crm: RawTables) -> None:
    crm.add("contacts", 1, mcr_id=1450348061427834880)

    assert crm.row("staging.stg_contacts", "mcr_id") == (1450348061427834880,)


@pytest.mark.slow
def test_no_edit_moves_the_day_on_which_a_deal_was_won(crm: RawTables) -> None:
    # 23:30 at an hour west of Greenwich is the next day in UTC.
    changed = {"stage_updated_time": utc("2026-02-28T23:30:00-01:00"), "created_at": utc("2026-01-01")}
    cases: dict[str, tuple[dict[str, Any], date | None, str | None]] = {
        "closing date": ({"closed_date": date(2026, 1, 31)}, date(2026, 1, 31), "closed_on"),
        "stage changed": (changed, date(2026, 3, 1), "stage_updated_at"),
        "entered": ({"created_at": utc("2026-02-01")}, date(2026, 2, 1), "created_at"),
        "nothing known": ({}, None, None),
    }
    assert_each(crm, "won_deals", cases, "staging.stg_won_deals", "won_on", "won_on_source")
    for edited in (None, utc("2026-03-05"), utc("2026-04-05")):
        crm.connection.execute("update raw.won_deals set updated_at = ?", [edited])

        for model in ("staging.stg_won_deals", "marts.won_deal_overview"):
            assert_shown(crm, cases, model, "won_on", "won_on_source")


def test_a_back_dated_deal_says_nothing_about_how_long_it_took(crm: RawTables) -> None:
    entered = {"created_at": utc("2026-01-01T23:30:00")}
    cases: dict[str, tuple[dict[str, Any], int | None, bool]] = {
        "later": ({"closed_date": date(2026, 1, 31), **entered}, 30, False),
        "same day": ({"closed_date": date(2026, 1, 1), **entered}, 0, False),
        "before it was entered": ({"closed_date": date(2025, 12, 31), **entered}, None, True),
        "no winning day": (entered, None, False),
    }
    assert_each(crm, "won_deals", cases, "staging.stg_won_deals", "days_to_win", "is_back_dated")


def test_every_task_but_one_marked_done_is_open(crm: RawTables) -> None:
    cases = {str(status): ({"status": status}, status != 1) for status in (0, 1, 5, None)}
    assert_each(crm, "open_tasks", cases, "staging.stg_open_tasks", "is_open")


def test_an_appointment_has_a_length_only_if_credible(crm: RawTables) -> None:
    def held(start: str, end: str, *, all_day: bool = False) -> dict[str, Any]:
        return {"from_date": utc(start), "end_date": utc(end), "is_allday": all_day}

    cases: dict[str, tuple[dict[str, Any], int | None]] = {
        "whole minutes": (held("2026-01-05T10:00:00", "2026-01-05T11:30:30"), 90),
        "a fraction of a second less": (held("2026-01-05T10:00:00.900", "2026-01-05T10:02:00.100"), 1),
        "ends before it starts": (held("2026-01-11T23:00:00", "2026-01-11T22:00:00"), None),
        "a day": (held("2026-01-06T00:00:00", "2026-01-07T00:00:00"), 1440),
        "more than a day": (held("2026-01-06T00:00:00", "2026-01-07T00:01:00"), None),
        "whole-day entry": (held("2026-01-06T09:00:00", "2026-01-06T17:00:00", all_day=True), None),
        "no start": ({"end_date": utc("2025-12-29T08:00:00")}, None),
    }
    assert_each(crm, "past_appointments", cases, "staging.stg_past_appointments", "duration_minutes")


def test_a_place_has_degrees_only_if_they_are_a_number(crm: RawTables) -> None:
    sent = {"-33.86": -33.86, "n/a": None, "NaN": None, "Infinity": None, "1e400": None}
    fields = ("latitude", "longitude", "checkedout_latitude", "checkedout_longitude")
    cases = {text: (dict.fromkeys(fields, text), *[degrees] * 4) for text, degrees in sent.items()}
    columns = ("latitude", "longitude", "checked_out_latitude", "checked_out_longitude")
    assert_each(crm, "past_appointments", cases, "staging.stg_past_appointments", *columns)


def test_an_appointment_without_start_counts_by_its_end(crm: RawTables) -> None:
    crm.add("past_appointments", 1, end_date=utc("2025-12-29T08:00:00"))

    assert crm.row("staging.stg_past_appointments", "held_on") == (date(2025, 12, 29),)


def targets(*pairs: tuple[str, int]) -> str:
    return json.dumps([{"type": type_, "id": id_} for type_, id_ in pairs])


def test_a_record_named_twice_by_an_activity_is_one_target(crm: RawTables) -> None:
    named = targets(("SalesAccount", 1), ("Contact", 11), ("SalesAccount", 1))
    crm.add("open_tasks", 31, targetables=named, targetable_id=1, targetable_type="SalesAccount")

    assert crm.rows("staging.stg_activity_targets", "activity_type", "activity_id", "target_type", "target_id") == [
        ("task", 31, "Contact", 11),
        ("task", 31, "SalesAccount", 1),
    ]


def test_an_entry_without_a_record_is_no_target(crm: RawTables) -> None:
    sent = {
        "no objects": '[1, "x", null, []]',
        "id without a number": '[{"type": "Contact", "id": "abc"}]',
        "no id": '[{"type": "Deal", "id": null}, {"type": "Deal"}]',
        "another type": '[{"type": "Nonsense", "id": 1}]',
        "no list": '{"type": "SalesAccount", "id": 1}',
        "JSON null": "null",
        "nothing": None,
    }
    crm.add_each("open_tasks", targetables=[*sent.values()])

    assert [[*sent][task] for (task,) in crm.rows("staging.stg_activity_targets", "activity_id")] == []


def test_an_activity_concerns_the_accounts_of_its_targets(crm: RawTables) -> None:
    crm.add("contacts", 11, sales_account_id=1)
    crm.add("contacts", 12, sales_account_id=2)
    crm.add("contacts", 13)
    crm.add("won_deals", 21, sales_account_id=3)
    crm.add("open_tasks", 31, targetables=targets(("Contact", 11), ("Contact", 13), ("Deal", 21), ("SalesAccount", 1)))
    crm.add("past_appointments", 31, targetables=targets(("Contact", 12), ("SalesAccount", 999)))

    assert crm.rows("staging.stg_activity_accounts", "activity_type", "activity_id", "account_id") == [
        ("appointment", 31, 2),
        ("appointment", 31, 999),
        ("task", 31, 1),
        ("task", 31, 3),
    ]


def test_activity_counts_for_each_account_once_for_the_main_one(crm: RawTables) -> None:
    sent = json.dumps([{"id": 5}, {"id": 4, "is_primary": True}, {"id": None}, {"id": 3}])
    crm.add("contacts", 11, sales_accounts=sent)
    crm.add("won_deals", 21, sales_account_id=2)
    crm.add("open_tasks", 31, targetables=targets(("Contact", 11), ("Deal", 21)))
    crm.add("open_tasks", 32, targetables=targets(("Contact", 11), ("SalesAccount", 5)))
    crm.add("open_tasks", 33, targetables=targets(("Contact", 11)))
    crm.add("open_tasks", 34, targetables=targets(("Deal", 21), ("SalesAccount", 7), ("SalesAccount", 6)))

    rows = crm.rows("staging.stg_activity_accounts", "activity_id", "account_id", "is_main")
    assert [(task, account) for task, account, _ in rows] == [
        *((31, account) for account in (2, 3, 4, 5)),
        *((task, account) for task in (32, 33) for account in (3, 4, 5)),
        *((34, account) for account in (2, 6, 7)),
    ]
    assert [row[:2] for row in rows if row[2]] == [(31, 4), (32, 5), (33, 4), (34, 6)]
