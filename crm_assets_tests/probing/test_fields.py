"""A check compares fields with the declared ones and tells names, types and counts, never a value."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from crm_assets_tests.probing.checked_crm import check, linked, of, problems, tidy_crm

MARK = "marked-value-8151"


def test_fields_are_compared_by_name_and_type() -> None:
    odd = ["high", True, "12", None]
    records = [{**each, "lead_score": odd[n % 4]} for n, each in enumerate(linked(8, favourite_colour="blue"))]
    with tidy_crm(lists={"contacts": records}) as crm:
        findings = check(crm)
    found = of(findings, "contacts")
    assert found.undeclared == ["targetables", "favourite_colour"]
    assert {"mcr_id", "display_name"} <= set(found.never_sent)
    assert {"id", "lead_score", "favourite_colour"}.isdisjoint(found.never_sent)
    assert found.other_types == {"lead_score": "2 x a string, 2 x a boolean, not bigint"}
    assert any("source/schemas/contacts.yaml" in problem.advice for problem in problems(findings, "contacts"))


def test_fields_in_another_spelling_are_declared_ones() -> None:
    with tidy_crm(lists={"contacts": linked(3, leadScore="high")}) as crm:
        found = of(check(crm), "contacts")
    assert "leadScore" not in found.undeclared
    assert "lead_score" not in found.never_sent
    assert found.other_types == {"lead_score": "3 x a string, not bigint"}


def test_fields_of_the_last_page_are_seen_as_well() -> None:
    records = linked(60)
    records[59]["favourite_colour"] = "blue"
    with tidy_crm(lists={"contacts": records}) as crm:
        assert "favourite_colour" in of(check(crm), "contacts").undeclared


def test_a_field_that_is_never_stored_is_no_undeclared_one() -> None:
    with tidy_crm(lists={"won_deals": linked(3, collaboration={"auth_token": MARK})}) as crm:
        assert of(check(crm), "won_deals").undeclared == ["targetables"]


def test_records_that_cannot_be_loaded_are_counted_by_reason() -> None:
    with tidy_crm(lists={"open_tasks": [{"id": 1}, {"title": MARK}, MARK, {"id": MARK}]}) as crm:
        findings = check(crm)
    reported = [problem.problem for problem in problems(findings, "open_tasks")]
    for reason in ("no id", "not an object but a string", "the id is not a 64-bit integer but a string"):
        assert f"1 of the records seen cannot be loaded: {reason}" in reported
    assert "id" not in of(findings, "open_tasks").other_types, "these are in no column of texts"


@pytest.mark.parametrize("personal_data", ["keep", "leave_out"])
def test_no_value_is_in_the_findings(personal_data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA", personal_data)
    odd = {
        f"{MARK}@example.com": MARK,
        "email": MARK,
        "due_date": MARK,
        "lead_score": MARK,
        "custom_field": {MARK: MARK},
        "unheard_of": [MARK],
    }
    with tidy_crm(lists={"contacts": linked(3, **odd), "open_tasks": linked(3, **odd)}) as crm:
        findings = check(crm)
    assert of(findings, "open_tasks").other_types
    assert MARK not in repr(findings)
    assert MARK not in json.dumps(asdict(findings))


def test_fields_left_out_are_reported_with_their_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA", "leave_out")
    with tidy_crm(lists={"accounts": linked(1, favourite_colour="blue")}) as crm:
        findings = check(crm)
    assert "favourite_colour" in of(findings, "accounts").undeclared
    assert "SOURCES__CRM__PERSONAL_DATA_ALLOWED" in problems(findings, "accounts")[0].advice


def test_unlinked_records_are_reported_with_the_include(monkeypatch: pytest.MonkeyPatch) -> None:
    plain: list[Any] = [{"id": id_, "updated_at": "2026-01-01T00:00:00Z", "sales_accounts": []} for id_ in (1, 2)]
    monkeypatch.setenv("SOURCES__CRM__ENDPOINTS", '{"contacts": {"params": {"include": "territory"}}}')
    with tidy_crm(lists={"contacts": plain, "won_deals": plain, "open_tasks": linked(2)}) as crm:
        findings = check(crm)
    assert of(findings, "contacts").linked == {"accounts": 0, "owners": 0}
    [problem] = problems(findings, "contacts")
    assert problem.problem == "No record is linked to accounts and owners"
    assert problem.advice == (
        'Set in SOURCES__CRM__ENDPOINTS: {"contacts": {"params": {"include": "territory,sales_accounts,owner"}}}'
    )
    assert '"include": "sales_account,owner"' in problems(findings, "won_deals")[0].advice
    assert of(findings, "open_tasks").linked == {"accounts": 1, "owners": 1}


def test_an_include_that_links_nothing_is_not_recommended_again(monkeypatch: pytest.MonkeyPatch) -> None:
    plain: list[Any] = [{"id": 1, "updated_at": "2026-01-01T00:00:00Z", "owner_id": 5}]
    monkeypatch.setenv("SOURCES__CRM__ENDPOINTS", '{"contacts": {"params": {"include": "sales_accounts,owner"}}}')
    with tidy_crm(lists={"contacts": plain}) as crm:
        [problem] = problems(check(crm), "contacts")
    assert problem.problem == "No record is linked to accounts"
    assert "may not see them" in problem.advice


def test_missing_names_are_reported_with_their_include() -> None:
    lists: dict[str, list[Any]] = {"won_deals": linked(1), "past_appointments": linked(1), "open_tasks": []}
    with tidy_crm(lists=lists, side_loaded={"users": []}) as crm:
        findings = check(crm)
    [problem] = findings.problems
    assert (problem.resource, problem.problem) == (
        "won_deals",
        "Answers have no deal_stages, so their ids have no names",
    )
    assert '{"won_deals": {"params": {"include": "deal_stage"}}}' in problem.advice
