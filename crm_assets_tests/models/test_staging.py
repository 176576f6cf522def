"""The staging models: how they convert the API's values."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from crm_assets_tests.models.raw_tables import RawTables
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


@pytest.mark.parametrize(
    ("sent", "tags"),
    [
        pytest.param('["vip", "x"]', ["vip", "x"], id="list"),
        pytest.param("[]", [], id="empty list"),
        pytest.param('{"a": 1}', None, id="object"),
        pytest.param("null", None, id="JSON null"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_tags_are_a_list_of_texts_or_null(crm: RawTables, sent: str | None, tags: list[str] | None) -> None:
    crm.add("accounts", 1, tags=sent)

    assert crm.row("staging.stg_accounts", "tags") == (tags,)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "id_"),
    [
        *((number, number) for number in (7, -7, 0)),
        *((decimal, 7) for decimal in (7.0, "7", "7.0", "7.00")),
        *((text, None) for text in ("7.", "7.01", "07.0", "7_0", "007", " 7", "7\n", "+7", "0x7", "7e1", "")),
        *((value, None) for value in (7.4, True, None, [7], 2**63)),
    ],
)
def test_id_within_a_record_is_a_whole_number(crm: RawTables, sent: Any, id_: int | None) -> None:
    crm.add("contacts", 1, sales_accounts=json.dumps([{"id": sent}]))
    crm.add("open_tasks", 2, targetables=json.dumps([{"id": sent, "type": "Deal"}]))
    crm.side_load("deal_stages", 3, deal_pipeline_id=sent)

    assert crm.row("staging.stg_contacts", "account_id") == (id_,)
    assert crm.rows("staging.stg_activity_targets", "target_id") == ([] if id_ is None else [(id_,)])
    assert crm.row("staging.stg_deal_stages", "pipeline_id") == (id_,)


@pytest.mark.parametrize(
    ("sent", "account_id"),
    [
        pytest.param({"sales_account_id": 7, **LISTED}, 7, id="own field"),
        pytest.param(LISTED, 1, id="first of the list"),
        pytest.param({"sales_accounts": '[{"id": "2"}]'}, 2, id="id as a text"),
        pytest.param(marked(False, True), 2, id="the one marked as primary"),
        pytest.param(marked(None, False, True), 3, id="marked, behind others"),
        pytest.param(marked(True, True), 1, id="the first of two that are marked"),
        pytest.param(marked(False, False), 1, id="none is marked"),
        pytest.param(marked(None, None), 1, id="no word of what is primary"),
        pytest.param(marked(0, "yes", {}), 1, id="marked in a way that nobody knows"),
        pytest.param({"sales_account_id": 7, **marked(False, True)}, 7, id="own field before one marked as primary"),
        pytest.param({"sales_accounts": '[null, 5, {"id": 3, "is_primary": true}]'}, 3, id="what is no account"),
        pytest.param({"sales_accounts": "[]"}, None, id="empty list"),
        pytest.param({"sales_accounts": '{"id": 1}'}, None, id="not a list"),
        pytest.param({"sales_accounts": "null"}, None, id="JSON null"),
        pytest.param({}, None, id="neither"),
    ],
)
def test_account_of_a_contact_is_its_own_primary_or_first(
    crm: RawTables, sent: dict[str, Any], account_id: int | None
) -> None:
    crm.add("contacts", 1, **sent)

    assert crm.row("staging.stg_contacts", "account_id") == (account_id,)


@pytest.mark.parametrize(
    ("sent", "full_name"),
    [
        pytest.param({"display_name": "Ann B.", "first_name": "Ann"}, "Ann B.", id="display name"),
        pytest.param({"display_name": "", "first_name": "Ann", "last_name": "Bee"}, "Ann Bee", id="both names"),
        pytest.param({"first_name": " ", "last_name": "Bee"}, "Bee", id="last name"),
        pytest.param({"first_name": " "}, None, id="nothing"),
    ],
)
def test_a_contacts_name_is_put_together_where_it_is_not_sent(
    crm: RawTables, sent: dict[str, str], full_name: str | None
) -> None:
    crm.add("contacts", 1, **sent)

    assert crm.row("staging.stg_contacts", "full_name") == (full_name,)


def test_a_text_that_should_be_a_number_is_null(crm: RawTables) -> None:
    crm.add("contacts", 1, total_sessions="3")
    crm.add("contacts", 2, total_sessions="n/a")

    assert crm.rows("staging.stg_contacts", "contact_id", "chat_sessions") == [(1, 3), (2, None)]


def test_an_id_beyond_the_range_of_a_float_stays_exact(crm: RawTables) -> None:
    crm.add("contacts", 1, mcr_id=1450348061427834880)

    assert crm.row("staging.stg_contacts", "mcr_id") == (1450348061427834880,)


@pytest.mark.parametrize(
    ("sent", "won_amount"),
    [
        pytest.param(
            {"amount": Decimal(100), "base_currency_amount": Decimal("110.1")}, Decimal("110.1"), id="company's"
        ),
        pytest.param({"amount": Decimal("0.1")}, Decimal("0.1"), id="own"),
        pytest.param({}, None, id="neither"),
    ],
)
def test_value_of_a_deal_prefers_the_currency_of_the_company(
    crm: RawTables, sent: dict[str, Any], won_amount: Decimal | None
) -> None:
    crm.add("won_deals", 1, **sent)

    assert crm.row("staging.stg_won_deals", "won_amount") == (won_amount,)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    ("sent", "won_on", "source"),
    [
        pytest.param({"closed_date": date(2026, 1, 31)}, date(2026, 1, 31), "closed_on", id="closing date"),
        # 23:30 at an hour west of Greenwich is the next day in UTC.
        pytest.param(
            {"stage_updated_time": utc("2026-02-28T23:30:00-01:00"), "created_at": utc("2026-01-01")},
            date(2026, 3, 1),
            "stage_updated_at",
            id="stage changed",
        ),
        pytest.param({"created_at": utc("2026-02-01")}, date(2026, 2, 1), "created_at", id="entered"),
        pytest.param({}, None, None, id="nothing known"),
    ],
)
def test_no_edit_moves_the_day_on_which_a_deal_was_won(
    crm: RawTables, sent: dict[str, Any], won_on: date | None, source: str | None
) -> None:
    crm.add("won_deals", 1, **sent)
    for edited in (None, utc("2026-03-05"), utc("2026-04-05")):
        crm.change("won_deals", 1, updated_at=edited)

        assert crm.row("staging.stg_won_deals", "won_on", "won_on_source") == (won_on, source)
        assert crm.row("marts.won_deal_overview", "won_on", "won_on_source") == (won_on, source)


def test_deal_without_a_winning_day_has_no_duration(crm: RawTables) -> None:
    crm.add("won_deals", 1, created_at=utc("2026-01-01"))

    assert crm.row("staging.stg_won_deals", "days_to_win", "is_back_dated") == (None, False)


@pytest.mark.parametrize(
    ("closed", "days", "back_dated"),
    [
        pytest.param(date(2026, 1, 31), 30, False, id="later"),
        pytest.param(date(2026, 1, 1), 0, False, id="same day"),
        pytest.param(date(2025, 12, 31), None, True, id="before it was entered"),
    ],
)
def test_a_back_dated_deal_says_nothing_about_how_long_it_took(
    crm: RawTables, closed: date, days: int | None, back_dated: bool
) -> None:
    crm.add("won_deals", 1, closed_date=closed, created_at=utc("2026-01-01T23:30:00"))

    assert crm.row("staging.stg_won_deals", "days_to_win", "is_back_dated") == (days, back_dated)


@pytest.mark.parametrize(("status", "is_open"), [(0, True), (1, False), (5, True), (None, True)])
def test_every_task_but_one_marked_done_is_open(crm: RawTables, status: int | None, is_open: bool) -> None:
    crm.add("open_tasks", 1, status=status)

    assert crm.row("staging.stg_open_tasks", "is_open") == (is_open,)


@pytest.mark.parametrize(
    ("start", "end", "all_day", "minutes"),
    [
        pytest.param("2026-01-05T10:00:00", "2026-01-05T11:30:30", False, 90, id="whole minutes"),
        pytest.param("2026-01-11T23:00:00", "2026-01-11T22:00:00", False, None, id="ends before it starts"),
        pytest.param("2026-01-06T00:00:00", "2026-01-07T00:00:00", False, 1440, id="a day"),
        pytest.param("2026-01-06T00:00:00", "2026-01-07T00:01:00", False, None, id="more than a day"),
        pytest.param("2026-01-06T09:00:00", "2026-01-06T17:00:00", True, None, id="whole-day entry"),
    ],
)
def test_an_appointment_has_a_length_only_if_credible(
    crm: RawTables, start: str, end: str, all_day: bool, minutes: int | None
) -> None:
    crm.add("past_appointments", 1, from_date=utc(start), end_date=utc(end), is_allday=all_day)

    assert crm.row("staging.stg_past_appointments", "duration_minutes") == (minutes,)


def test_an_appointment_without_start_counts_by_its_end(crm: RawTables) -> None:
    crm.add("past_appointments", 1, end_date=utc("2025-12-29T08:00:00"))

    assert crm.row("staging.stg_past_appointments", "held_on", "duration_minutes") == (date(2025, 12, 29), None)


def test_days_are_those_of_utc_whatever_the_readers_zone(crm: RawTables) -> None:
    crm.add("won_deals", 1, stage_updated_time=utc("2026-03-01T00:30:00"))
    crm.build("staging.stg_won_deals")
    crm.connection.execute("set TimeZone = 'America/Los_Angeles'")

    assert crm.row("staging.stg_won_deals", "won_on") == (date(2026, 3, 1),)


def targets(*pairs: tuple[str, int]) -> str:
    return json.dumps([{"type": type_, "id": id_} for type_, id_ in pairs])


def test_a_record_named_twice_by_an_activity_is_one_target(crm: RawTables) -> None:
    named = targets(("SalesAccount", 1), ("Contact", 11), ("SalesAccount", 1))
    crm.add("open_tasks", 31, targetables=named, targetable_id=1, targetable_type="SalesAccount")

    assert crm.rows("staging.stg_activity_targets", "activity_type", "activity_id", "target_type", "target_id") == [
        ("task", 31, "Contact", 11),
        ("task", 31, "SalesAccount", 1),
    ]


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param('[1, "x", null, []]', id="no objects"),
        pytest.param('[{"type": "Contact", "id": "abc"}]', id="id without a number"),
        pytest.param('[{"type": "Deal", "id": null}, {"type": "Deal"}]', id="no id"),
        pytest.param('[{"type": "Nonsense", "id": 1}]', id="another type"),
        pytest.param('{"type": "SalesAccount", "id": 1}', id="no list"),
        pytest.param("null", id="JSON null"),
        pytest.param(None, id="nothing"),
    ],
)
def test_an_entry_without_a_record_is_no_target(crm: RawTables, sent: str | None) -> None:
    crm.add("open_tasks", 31, targetables=sent)

    assert crm.rows("staging.stg_activity_targets", "target_id") == []


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
    assert {(task, account) for task, account, _ in rows} == {
        *((31, account) for account in (2, 3, 4, 5)),
        *((task, account) for task in (32, 33) for account in (3, 4, 5)),
        *((34, account) for account in (2, 6, 7)),
    }
    assert [row[:2] for row in rows if row[2]] == [(31, 4), (32, 5), (33, 4), (34, 6)]
