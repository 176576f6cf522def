"""What each policy keeps of a record: personal fields in any spelling and nesting, and undeclared fields."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from crm_assets.api import ENDPOINTS
from crm_assets.settings import CrmSettings
from crm_assets.source.schemas import resource_schema
from crm_assets.source.typing.batches import why_rejected
from crm_assets.source.typing.columns import column_name
from crm_assets.source.typing.redaction import Redaction, ValueRules, is_personal_name

MARKED = "Ada Marked"


KEY = "a key of thirty-two characters ..."


def redaction(
    policy: str, *allowed: str, resource: str = "contacts", is_hashed: bool = False, key: str = KEY
) -> Redaction:
    given = {"personal_data": policy, "personal_data_key": key, "personal_data_allowed": allowed}
    return Redaction(CrmSettings.model_validate(given), resource_schema(resource).columns, is_hashed=is_hashed)


def left_out(record: Any, *allowed: str, resource: str = "contacts") -> Any:
    return redaction("leave_out", *allowed, resource=resource).record(record)


def hashed(record: Any, *allowed: str, resource: str = "contacts") -> Any:
    return redaction("hash", *allowed, resource=resource).record(record)


@pytest.mark.parametrize("resource", ENDPOINTS)
def test_columns_that_reads_depend_on_are_not_personal(resource: str) -> None:
    columns = resource_schema(resource).columns
    assert not [name for name in ("id", "updated_at", "created_at") if name in columns and columns[name].personal]


@pytest.mark.parametrize(
    "name", ["email", "Email", "E-MAIL", "e mail", "eMail", "first name", "FirstName", "\uff45mail"]
)
def test_a_name_is_personal_in_every_spelling(name: str) -> None:
    assert is_personal_name(name)


def test_a_declared_personal_field_is_empty() -> None:
    assert left_out({"id": 1, "email": MARKED, "lead_score": 3}) == {"id": 1, "email": None, "lead_score": 3}


@pytest.mark.parametrize("policy", ["leave_out", "hash"])
@pytest.mark.parametrize(
    ("id_", "reason"),
    [
        (MARKED, "the id is not a 64-bit integer but a string"),
        ([MARKED], "the id is not a 64-bit integer but an array"),
        ({"value": MARKED}, "the id is not a 64-bit integer but an object"),
        (None, "no id"),
    ],
)
def test_an_id_that_is_left_out_keeps_its_type(policy: str, id_: Any, reason: str) -> None:
    record = redaction(policy).record({"id": id_})
    assert why_rejected(record) == reason
    assert MARKED not in str(record)


@pytest.mark.parametrize("policy", ["leave_out", "hash"])
def test_an_undeclared_field_is_dropped_and_its_name_reported(policy: str) -> None:
    one = redaction(policy)
    assert one.record({"id": 1, "Email": MARKED, "nickname": MARKED}) == {"id": 1}
    assert one.dropped == {"Email", "nickname"}


def test_a_key_that_may_be_data_is_not_shown() -> None:
    one = redaction("leave_out")
    one.record({"ada.marked@example.com": 1, MARKED: 1, "4917012345": 1, "custom_field": {MARKED: 1}})
    assert one.dropped == {"*", "custom_field.*"}


def test_a_listed_field_stays_in_any_notation() -> None:
    assert left_out({"cf-Size": 3, "custom_field": {"cf_size": 4}}, "cf_size") == {
        "cf-Size": 3,
        "custom_field": {"cf_size": 4},
    }


@pytest.mark.parametrize(("name", "other"), [("規模", "氏名"), ("размер", "имя"), ("Discount %", "Discount $")])
def test_a_listed_field_lets_no_other_through(name: str, other: str) -> None:
    assert left_out({name: 3, other: MARKED, "custom_field": {name: 4, other: MARKED}}, name) == {
        name: 3,
        "custom_field": {name: 4},
    }


def test_a_listed_field_keeps_its_stored_column() -> None:
    one = redaction("leave_out", "размер")
    assert one.keeps(column_name("размер"))
    assert not one.keeps(column_name("имя"))


def test_allowed_field_named_like_a_personal_one_is_hidden() -> None:
    assert left_out({"E-Mail": MARKED}, "e_mail") == {"E-Mail": None}
    assert MARKED not in str(hashed({"E-Mail": MARKED}, "e_mail"))


def test_objects_in_a_json_column_keep_known_fields_only() -> None:
    sent = {"targetables": [{"id": 1, "type": "Contact", "name": MARKED, "owner": {"email": MARKED}}]}
    assert left_out(sent, resource="open_tasks") == {"targetables": [{"id": 1, "type": "Contact"}]}


def test_an_object_in_any_other_column_is_looked_into() -> None:
    assert left_out({"lead_score": {"email": MARKED}, "tags": ["vip", {"email": MARKED}]}) == {
        "lead_score": None,
        "tags": ["vip", {}],
    }


def test_a_text_that_is_json_is_looked_into() -> None:
    assert left_out({"tags": '["vip", {"email": "Ada Marked"}]'}) == {"tags": '["vip",{}]'}


@pytest.mark.parametrize("text", ["[draft] {1}", "{name}, {first name}", "{ }: {}", "see {a: 1}"])
def test_a_text_that_only_looks_like_json_stays(text: str) -> None:
    assert left_out({"keyword": text}) == {"keyword": text}


@pytest.mark.parametrize("policy", ["leave_out", "hash"])
@pytest.mark.parametrize(
    "text",
    [
        '{"email": "Ada Marked"}',
        '\ufeff {"email": "Ada Marked"}',
        '"{\\"email\\": \\"Ada Marked\\"}"',
        json.dumps(json.dumps(json.dumps([{"email": MARKED}]))),
        json.dumps([json.dumps({"email": MARKED})]),
        "%7B%22email%22%3A%22Ada%20Marked%22%7D",
        "{'email': 'Ada Marked'}",
        "{&quot;email&quot;: &quot;Ada Marked&quot;}",
        '{\\"email\\": \\"Ada Marked\\"}',
        '[{"email": "Ada Marked"',
        '["vip", {"email": "Ada Marked"',
        '"{\\"email\\": \\"Ada Marked',
        "%7B%22email%22%3A%22Ada%20Marked",
        "%20%7B%27email%27%3A%27Ada+Marked%27%7D",
        "%257B%2522email%2522%253A%2522Ada%2520Marked%2522%257D",
        pytest.param(
            quote('{"email": "Ada Marked"}').replace("%", f"%{'25' * 300_000}", 1), id="encoded again and again"
        ),
        '\u200b{"email": "Ada Marked"}',
        '\0{\u2060"email": "Ada Marked"',
        "{email: 'Ada Marked'}",
        '{:email => "Ada Marked"}',
        "{%22email%22: %22Ada Marked%22}",
        "{\N{LEFT DOUBLE QUOTATION MARK}email\N{RIGHT DOUBLE QUOTATION MARK}: Ada Marked}",
        pytest.param("[1," * 2000 + '{"email": "Ada Marked"}' + "]" * 2000, id="deep"),
    ],
)
def test_an_object_in_a_text_is_redacted_however_it_is_encoded(policy: str, text: str) -> None:
    shown = str(redaction(policy).record({"keyword": text, "tags": text}))
    assert "Marked" not in shown


@pytest.mark.parametrize("policy", ["leave_out", "hash"])
@pytest.mark.parametrize(
    "value",
    [MARKED, [MARKED], [[MARKED]], {MARKED: 1}, f"12 {MARKED}", "+49 170 1234567", "ada@example.com", f'"{MARKED}"'],
)
@pytest.mark.parametrize("column", ["lead_score", "updated_at", "is_deleted"])
def test_a_text_in_a_column_of_numbers_or_times_is_left_out(policy: str, column: str, value: Any) -> None:
    one = redaction(policy)
    assert one.record({column: value}) == {column: None}
    assert all(MARKED not in name for name in one.dropped)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("lead_score", 12),
        ("lead_score", "007"),
        ("lead_score", "1.234,50 €"),
        ("lead_score", "1 234 567"),
        ("lead_score", "1e5"),
        ("lead_score", ""),
        ("lead_score", [1, "2"]),
        ("lead_score", "[1,2]"),
        ("is_deleted", "Yes"),
        ("updated_at", 1777777777),
        ("updated_at", "Tue, 05 May 2026 10:00:00 GMT"),
        ("updated_at", "2026-05-01 12:00:00.123456789 +02:00"),
        ("updated_at", "5.5.2026 5 pm"),
    ],
)
def test_a_number_or_time_in_another_notation_stays(column: str, value: Any) -> None:
    assert left_out({column: value}) == {column: value}


def test_values_that_are_not_what_is_declared_are_reported() -> None:
    one = redaction("leave_out")
    one.record({"lead_score": MARKED, "updated_at": [MARKED]})
    assert one.dropped == {"lead_score (no bigint)", "updated_at (no timestamp)"}


def test_nested_record_is_redacted_and_a_non_object_left_out() -> None:
    assert left_out([[{"id": 1, "email": MARKED}], MARKED]) == [[{"id": 1, "email": None}], None]
    assert left_out(MARKED) is None


def test_values_nested_too_deeply_are_left_out() -> None:
    deep: Any = MARKED
    for _ in range(10_000):
        deep = [deep]
    assert left_out({"id": 1, "tags": deep}) == {"id": 1, "tags": None}


def test_personal_json_column_is_left_out_entirely() -> None:
    assert left_out({"emails": [{"id": 1, "value": MARKED, "is_primary": True}]}) == {"emails": None}


def test_hashed_json_column_keeps_its_shape() -> None:
    found = hashed({"email": MARKED, "emails": [{"id": 1, "value": MARKED, MARKED: 1}]})
    assert found["emails"] == [{"id": None, "value": found["email"]}]
    assert found["email"] != MARKED


@pytest.mark.parametrize("value", [MARKED, 20260501, "2026-05-01T12:00:00Z"])
def test_a_personal_date_is_left_out_where_texts_are_hashed(value: Any) -> None:
    assert hashed({"last_seen": value}) == {"last_seen": None}


def test_values_without_a_resource_keep_known_fields() -> None:
    user = {"id": 1, "display_name": MARKED, "is_active": True}
    assert redaction("leave_out").value([user], ValueRules("users", fields=("id", "display_name"))) == [
        {"id": 1, "display_name": None}
    ]


@pytest.mark.parametrize("blank", ["", "  ", "\u00a0\t"])
def test_blank_text_has_no_hash(blank: str) -> None:
    assert hashed({"email": blank, "emails": [{"value": blank}]}) == {"email": None, "emails": None}


def test_text_has_the_same_hash_with_blanks_around_it() -> None:
    assert hashed({"email": f" {MARKED}\u00a0"}) == hashed({"email": MARKED})


def test_another_key_makes_other_hashes() -> None:
    assert redaction("hash", key=KEY[::-1]).record({"email": MARKED}) != hashed({"email": MARKED})


def test_stored_hashes_are_not_hashed_again() -> None:
    once = hashed({"email": MARKED})
    assert redaction("hash", is_hashed=True).record(once) == once
    assert hashed(once) != once


def test_kept_everything_stays_as_it_is() -> None:
    records: list[Any] = [{"Email": MARKED, "nested": [{"email": MARKED}]}, MARKED]
    before = repr(records)
    redaction("keep").records(records)
    assert repr(records) == before
