"""The allowance is read from any of the usual headers, and compared with what the schedules need."""

from collections.abc import Mapping

import pytest
from requests.structures import CaseInsensitiveDict
from starlette.responses import Response

from crm_assets.api import ENDPOINTS
from crm_assets.probing.check import CrmFindings
from crm_assets.probing.sample import Allowance, allowance_of
from crm_assets_tests.probing.checked_crm import check, linked, of, problems, tidy_crm
from crm_assets_tests.scripted_crm import ScriptedCrm, Seen, always, json_response

HOUR, DAY = 3600, 86400

HOURLY, NIGHTLY = 2 * len(ENDPOINTS), 11 * len(ENDPOINTS)  # ten full pages, and an empty one
BUSIEST = HOURLY + NIGHTLY
"""Requests of all schedules in an hour, of a full read, and in the hour in which both are due."""


HEADERS = {
    "none": ({}, None),
    "no-number": ({"X-RateLimit-Limit": "soon"}, None),
    "old": ({"x-ratelimit-limit": "1000", "x-ratelimit-remaining": "990"}, Allowance(990, 1000, HOUR, False)),
    "total": ({"X-RateLimit-Total": "1000", "X-RateLimit-Remaining": "0"}, Allowance(0, 1000, HOUR, False)),
    "no-limit": ({"X-RateLimit-Remaining": "7"}, Allowance(7, None, HOUR, False)),
    "a-day": ({"X-RateLimit-Limit": "5000", "X-RateLimit-Reset": "80000"}, Allowance(None, 5000, DAY, False)),
    "with-window": ({"RateLimit-Limit": "100, 100;w=60", "RateLimit-Remaining": "50"}, Allowance(50, 100, 60, True)),
    "one-header": ({"RateLimit": "limit=100, remaining=50, reset=5"}, Allowance(50, 100, HOUR, False)),
    "policy": (
        {"RateLimit-Policy": '"default";q=400;w=60', "RateLimit": '"default";r=399;t=60'},
        Allowance(399, 400, 60, True),
    ),
    "old-and-new": (
        {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4000", "RateLimit-Policy": '"default";q=400;w=60'},
        Allowance(4000, 400, 60, True),
    ),
}


@pytest.mark.parametrize(("headers", "allowance"), HEADERS.values(), ids=HEADERS)
def test_the_allowance_is_read_from_headers(headers: Mapping[str, str], allowance: Allowance | None) -> None:
    assert allowance_of(CaseInsensitiveDict(headers)) == allowance


def limited(crm: ScriptedCrm, headers: dict[str, str]) -> None:
    """Has the CRM send headers with every answer, as long as it has any left to give."""

    def answer(seen: Seen) -> Response:
        per_page = int(seen.params["per_page"])
        records = crm.lists[seen.resource]
        page = records[(seen.page - 1) * per_page : seen.page * per_page]
        body = {ENDPOINTS[seen.resource].data_selector: page, "meta": {"total": len(records)}}
        return json_response(body, headers=headers)

    crm.faults.append(answer)


def checked(headers: dict[str, str], count: int = 500) -> CrmFindings:
    with tidy_crm(lists={resource: linked(count) for resource in ENDPOINTS}) as crm:
        limited(crm, headers)
        return check(crm)


def test_schedules_that_fit_the_allowance_are_no_problem() -> None:
    findings = checked({"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "990"})
    schedules = findings.schedules
    assert (schedules.every_hour, schedules.busiest_hour) == (HOURLY, BUSIEST)
    assert (schedules.allowed, schedules.fit) == (1000, True)
    assert problems(findings, None) == []


def test_schedules_beyond_the_limit_are_reported() -> None:
    findings = checked({"X-RateLimit-Limit": str(BUSIEST - 1), "X-RateLimit-Remaining": str(BUSIEST - 2)})
    [problem] = problems(findings, None)
    assert findings.schedules.fit is False
    assert f"{BUSIEST} requests in their busiest hour, but the API's rate limit allows {BUSIEST - 1}" in problem.problem
    assert f"SOURCES__CRM__REQUESTS_PER_HOUR to {BUSIEST - 1}" in problem.advice
    assert "SOURCES__CRM__PER_PAGE to 100" in problem.advice


def test_an_allowance_that_is_nearly_used_up_is_reported() -> None:
    findings = checked({"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": str(NIGHTLY - 1)})
    [problem] = problems(findings, None)
    assert f"takes {NIGHTLY} requests, but the API allows only {NIGHTLY - 1} more" in problem.problem


def test_a_rate_that_is_set_limits_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__REQUESTS_PER_HOUR", str(NIGHTLY - 20))
    findings = checked({"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "990"})
    [problem] = problems(findings, None)
    assert f"SOURCES__CRM__REQUESTS_PER_HOUR allows {NIGHTLY - 20}" in problem.problem
    # The last 20 requests leave an hour later.
    assert findings.full.seconds == HOUR
    assert findings.hourly.seconds < HOUR


def test_schedules_are_not_judged_without_an_allowance() -> None:
    findings = checked({})
    assert (findings.allowance, findings.schedules.allowed, findings.schedules.fit) == (None, None, None)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        pytest.param(429, {"Retry-After": "450"}, id="refused"),
        pytest.param(200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "450"}, id="the-last-one-allowed"),
    ],
)
def test_a_check_does_not_wait_long_and_reports_what_it_left_out(
    status: int, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The pause that the API asks for is kept by all who read with the same settings in this process.
    monkeypatch.setenv("SOURCES__CRM__MAX_IN_FLIGHT", str(status % 60))
    with tidy_crm(lists={"accounts": linked(60)}) as crm:
        crm.faults.append(
            lambda _: json_response({"sales_accounts": linked(50), "meta": {"total": 60}}, status, headers)
        )
        findings = check(crm)
        assert len(crm.seen) == 1
    assert findings.unreadable
    assert "450 s" in problems(findings, "contacts")[0].problem
    assert (of(findings, "contacts").status, of(findings, "contacts").full) == (None, None)


def test_wait_of_one_list_does_not_stop_the_others() -> None:
    with tidy_crm(lists={resource: linked(2) for resource in ENDPOINTS}) as crm:
        crm.faults.append(always("accounts", lambda: json_response({}, 503, {"Retry-After": "450"})))
        findings = check(crm)
    assert findings.unreadable == ["accounts"]
