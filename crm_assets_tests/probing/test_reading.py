"""A check tells which lists can be read, to their end and newest first, with at most two requests each."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import HTMLResponse, Response

from crm_assets.api import ENDPOINTS
from crm_assets.source import schemas
from crm_assets_tests.assets.declaring import Declarations
from crm_assets_tests.faulty_answers import Dropped
from crm_assets_tests.probing.checked_crm import check, linked, of, problems, tidy_crm
from crm_assets_tests.scripted_crm import KEY, Seen, always, failing, json_response, scripted_crm


def lists(count: int) -> dict[str, list[Any]]:
    return {resource: linked(count) for resource in ENDPOINTS}


def test_lists_that_are_served_to_their_end_can_be_read() -> None:
    with tidy_crm(lists=lists(120)) as crm:
        findings = check(crm)
        assert [(seen.page, seen.params["per_page"]) for seen in crm.seen[:2]] == [(1, "50"), (3, "50")]
    assert not findings.unreadable
    assert [(each.status, each.records) for each in findings.lists] == [(200, 120)] * len(ENDPOINTS)
    assert not [problem for problem in findings.problems if problem.blocks]


def test_a_list_of_one_page_takes_one_request() -> None:
    with tidy_crm(lists=lists(50)) as crm:
        check(crm)
        assert len(crm.seen) == len(ENDPOINTS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "setting"),
    [(401, "API_KEY"), (403, "API_KEY"), (404, "ENDPOINTS"), (500, ""), (503, ""), (429, "REQUESTS_PER_MINUTE")],
)
def test_refused_list_is_requested_once_and_named(status: int, setting: str) -> None:
    with tidy_crm(lists=lists(60)) as crm:
        crm.faults.append(always("contacts", lambda: json_response({"message": "Not for you"}, status)))
        findings = check(crm)
        assert crm.pages("contacts") == [1]
    assert findings.unreadable == ["contacts"]
    assert of(findings, "contacts").status == status
    [problem] = problems(findings, "contacts")
    assert problem.blocks
    assert f"page 1: status {status}, 'Not for you'" in problem.problem
    assert setting in problem.problem


def test_a_key_that_the_api_repeats_in_its_refusal_is_not_shown() -> None:
    with tidy_crm(lists=lists(1)) as crm:
        crm.faults.append(always("contacts", lambda: json_response({"message": f"No such key: {KEY}"}, 401)))
        findings = check(crm)
    [problem] = problems(findings, "contacts")
    assert "No such key: ***" in problem.problem
    assert KEY not in repr(findings)


@pytest.mark.parametrize(
    ("answer", "status"),
    [(lambda: HTMLResponse("<h1>Welcome</h1>"), 200), (Dropped, None)],
    ids=["html", "dropped"],
)
def test_an_answer_that_is_no_page_keeps_a_list_from_being_read(answer: Any, status: int | None) -> None:
    with tidy_crm(lists=lists(1)) as crm:
        crm.faults.append(always("open_tasks", answer))
        findings = check(crm)
        assert crm.pages("open_tasks") == [1]
    assert (findings.unreadable, of(findings, "open_tasks").status) == (["open_tasks"], status)
    [problem] = problems(findings, "open_tasks")
    assert "SOURCES__CRM__BASE_URL" in problem.problem
    assert "retry" not in problem.problem


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_list_whose_last_page_is_refused_is_capped(status: int) -> None:
    with tidy_crm(lists=lists(500)) as crm:
        crm.faults.append(failing("accounts", page=10, answers=[json_response({"message": "Page too large"}, status)]))
        findings = check(crm)
    assert findings.unreadable == ["accounts"]
    problem, *_ = problems(findings, "accounts")
    assert "does not serve the whole list: page 10: status" in problem.problem
    assert "SOURCES__CRM__PER_PAGE" in problem.advice


@pytest.mark.slow
def test_a_list_that_ends_before_its_total_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    with tidy_crm(lists=lists(100), total=lambda _, __: 170) as crm:
        findings = check(crm)
        assert findings.unreadable
        problem, *_ = problems(findings, "accounts")
        assert "counts 170 records, but page 4 is empty" in problem.problem
        assert 'in SOURCES__CRM__ENDPOINTS: {"accounts": {"total_is_exact": false}}' in problem.advice
        inexact = '{"%s": {"total_is_exact": false}}'
        monkeypatch.setenv("SOURCES__CRM__ENDPOINTS", inexact % "accounts")
        assert "accounts" not in check(crm).unreadable


def test_any_total_that_an_api_may_claim_is_reckoned_with() -> None:
    with tidy_crm(lists=lists(50), total=lambda _, __: 2**62) as crm:
        findings = check(crm)
    assert findings.unreadable
    assert of(findings, "accounts").records == 2**62


def test_a_total_without_any_record_is_reported() -> None:
    with tidy_crm(lists={}, total=lambda _, __: 7) as crm:
        findings = check(crm)
    problem, *_ = problems(findings, "accounts")
    assert (problem.blocks, problem.problem) == (True, "The API counts 7 records and lists none")


def test_empty_lists_can_be_read() -> None:
    with tidy_crm(lists={}) as crm:
        findings = check(crm)
    assert not findings.unreadable
    assert findings.problems == []
    assert {each.order for each in findings.lists} == {"unknown"}


def test_an_api_that_ignores_the_page_is_found_out() -> None:
    first_page = {"sales_accounts": linked(50), "meta": {"total": 120}}
    with tidy_crm(lists=lists(120)) as crm:
        crm.faults.append(always("accounts", lambda: json_response(first_page)))
        findings = check(crm)
    problem, *_ = problems(findings, "accounts")
    assert (problem.blocks, "ignore the parameter `page`" in problem.problem) == (True, True)


def test_a_page_size_that_the_api_does_not_grant_is_reported() -> None:
    with tidy_crm(lists=lists(100), page_sizes=[25] * 4) as crm:
        findings = check(crm)
        assert crm.pages("accounts") == [1, 4]
    assert not findings.unreadable
    assert "The API sends 25 records per page, not 50" in [each.problem for each in problems(findings, "accounts")]


def test_a_short_first_page_is_no_cap() -> None:
    with tidy_crm(lists=lists(60), page_sizes=[10, 50]) as crm:
        findings = check(crm)
    assert not findings.unreadable
    assert any("page 1 had only" in each.problem for each in problems(findings, "accounts"))


def test_an_api_that_does_not_sort_is_recognized() -> None:
    backwards = {resource: linked(120)[::-1] for resource in ENDPOINTS}
    with tidy_crm(lists=backwards, sorts=frozenset({"accounts"})) as crm:
        findings = check(crm)
    assert (of(findings, "accounts").order, of(findings, "contacts").order) == ("yes", "no")
    assert (of(findings, "contacts").hourly, findings.unreadable) == (of(findings, "contacts").full, [])
    [problem] = problems(findings, "contacts")
    assert "does not sort by updated_at" in problem.problem
    assert "contacts_schedule" in problem.advice


def test_a_list_in_order_within_each_page_only_is_not_sorted() -> None:
    records = linked(100)
    with tidy_crm(lists={"open_tasks": [*records[50:], *records[:50]]}) as crm:
        assert of(check(crm), "open_tasks").order == "no"


def test_no_order_is_expected_of_a_list_without_updated_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tidy_crm(lists=lists(120), sorts=frozenset()) as crm:
        Declarations(tmp_path / "schemas", monkeypatch).leave_out("updated_at")
        try:
            findings = check(crm)
        finally:
            monkeypatch.undo()
            schemas.resource_schema.cache_clear()
        assert ["sort" in seen.params for seen in crm.seen if seen.resource == "open_tasks"] == [False, False]
    found = of(findings, "open_tasks")
    assert (found.order, found.hourly, findings.unreadable) == ("unknown", found.full, [])
    assert not any("sort" in problem.problem for problem in problems(findings, "open_tasks"))


def test_an_api_that_refuses_the_order_can_be_read_in_full_only() -> None:
    def refusing(seen: Seen) -> Response | None:
        return json_response({"message": "Unknown sort"}, 400) if "sort" in seen.params else None

    with tidy_crm(lists=lists(60)) as crm:
        crm.faults.append(refusing)
        findings = check(crm)
        assert [(seen.page, "sort" in seen.params) for seen in crm.seen[:2]] == [(1, True), (1, False)]
    found = of(findings, "accounts")
    assert (found.order, "accounts" in findings.unreadable, found.records, found.hourly) == ("refused", True, 60, None)
    [problem] = problems(findings, "accounts")
    assert "Unknown sort" in problem.problem
    assert "turn off accounts_schedule" in problem.advice


def test_a_missing_total_is_reported_and_does_not_fail_the_check() -> None:
    with tidy_crm(lists=lists(60), with_meta=False) as crm:
        findings = check(crm)
        assert crm.pages("accounts") == [1, 2]
    assert (findings.unreadable, of(findings, "accounts").records) == ([], None)
    assert "does not count the records" in problems(findings, "accounts")[0].problem


@pytest.mark.slow
def test_the_latency_is_the_time_of_answers() -> None:
    with tidy_crm(lists=lists(1), latency=0.05) as crm:
        findings = check(crm)
    assert all(each.latency is not None and each.latency >= 0.05 for each in findings.lists)


def test_path_header_and_parameters_are_those_of_a_read(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/contacts/view/4000123"
    with scripted_crm(lists=lists(1), paths={"contacts": path}, credentials=("authorization", "Token token=1")) as crm:
        own = {
            "API_KEY": "Token token=1",
            "API_KEY_NAME": "Authorization",
            "ENDPOINTS": json.dumps({"contacts": {"path": path, "params": {"filter": "all"}}}),
        }
        for name, value in (crm.settings() | {f"SOURCES__CRM__{name}": value for name, value in own.items()}).items():
            monkeypatch.setenv(name, value)
        assert not check(crm).unreadable
        assert [seen.params["filter"] for seen in crm.seen if seen.resource == "contacts"] == ["all"]
