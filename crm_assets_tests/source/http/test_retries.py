"""How long and how often retries wait. `test_fault_matrix.py` has the faults that are retried."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from starlette.responses import Response

from crm_assets.errors import ApiRefusal, ApiUnavailable
from crm_assets.source.http.session import PageSession
from crm_assets_tests.faulty_answers import Late
from crm_assets_tests.scripted_crm import ScriptedCrm, always, configured_crm, failing, json_response, tasks
from crm_assets_tests.source.source_reads import read

pytestmark = pytest.mark.usefixtures("_in_turn")


def gaps(crm: ScriptedCrm) -> list[float]:
    """Seconds between one request and the next."""
    return [later.at - earlier.at for earlier, later in zip(crm.seen, crm.seen[1:], strict=False)]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the session waits before retries."""
    waited: list[float] = []
    sleep = PageSession._sleep

    def noted(session: PageSession, seconds: float) -> None:
        waited.append(seconds)
        sleep(session, seconds)

    monkeypatch.setattr(PageSession, "_sleep", noted)
    return waited


def test_an_answer_that_does_not_come_in_time_is_asked_for_again(
    crm: ScriptedCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__CRM__REQUEST_TIMEOUT", "2")
    crm.faults.append(failing("open_tasks", page=2, answers=[Late(5)]))
    reading = read()
    assert crm.pages("open_tasks") == [1, 2, 2, 3]
    assert reading.ids == list(range(1, 131))


def http_date_in(seconds: int) -> str:
    return format_datetime(datetime.now(timezone.utc) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "retry_after", "at_least"),
    [
        pytest.param(503, lambda: "1", 0.9, id="seconds"),
        pytest.param(429, lambda: http_date_in(2), 0.9, id="http-date"),
        pytest.param(429, lambda: http_date_in(-60), 0, id="date-that-is-over"),
    ],
)
def test_retry_after_is_waited_for(
    crm: ScriptedCrm, status: int, retry_after: Callable[[], str], at_least: float, waits: list[float]
) -> None:
    answers = [lambda: Response("", status, headers={"Retry-After": retry_after()})]
    # A date counts from the answer on, not from when the test began.
    crm.faults.append(lambda _: answers.pop()() if answers else None)
    reading = read()
    assert crm.pages("open_tasks") == [1, 1, 2, 3]
    assert reading.report.complete
    assert gaps(crm)[0] >= at_least
    assert at_least or waits[0] < 0.8


class Waiting(Exception):
    """The read waits, and has said so."""


def read_until_it_waits(monkeypatch: pytest.MonkeyPatch) -> str:
    """Reads until the log mentions a wait; returns what it says."""
    said: list[str] = []

    def stop(_: PageSession, sentence: str) -> None:
        said.append(sentence)
        raise Waiting

    monkeypatch.setattr(PageSession, "_queue_message", stop)
    with pytest.raises(PipelineStepFailed):
        read()
    return said[0]


@pytest.mark.slow
@pytest.mark.parametrize("status", [408, 429, 503, 524])
@pytest.mark.parametrize("given", [lambda: "450", lambda: http_date_in(451)], ids=["seconds", "http-date"])
def test_a_long_retry_after_is_logged_and_obeyed(
    crm: ScriptedCrm, status: int, given: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    crm.faults.append(always("open_tasks", lambda: Response("", status, headers={"Retry-After": given()})))
    assert re.fullmatch(
        rf"open_tasks: status {status}, the API asks to wait 4[45][0-9] s", read_until_it_waits(monkeypatch)
    )
    assert crm.pages("open_tasks") == [1]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("given", [lambda: "450", lambda: http_date_in(451)], ids=["seconds", "http-date"])
def test_wait_beyond_the_setting_fails_at_once(
    crm: ScriptedCrm, status: int, given: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__CRM__REQUEST_MAX_WAIT", "300")
    crm.faults.append(failing("open_tasks", page=2, answers=[Response("", status, headers={"Retry-After": given()})]))
    with pytest.raises(ApiRefusal, match=rf"status {status}.* wait 4.. s, .*SOURCES__CRM__REQUEST_MAX_WAIT \(300 s\)"):
        read()
    assert crm.pages("open_tasks").count(2) == 1


@pytest.mark.parametrize("status", [429, 500])
def test_waits_double_from_the_backoff_factor_on(
    crm: ScriptedCrm, status: int, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__CRM__REQUEST_BACKOFF_FACTOR", "0.1")
    crm.faults.append(failing("open_tasks", page=1, answers=[Response("", status) for _ in range(3)]))
    read()
    assert waits == pytest.approx([0.1, 0.2, 0.4])
    assert all(gap >= wait for gap, wait in zip(gaps(crm), waits, strict=False))


@pytest.mark.parametrize("status", [429, 500])
def test_number_of_attempts_is_a_setting(crm: ScriptedCrm, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__REQUEST_MAX_ATTEMPTS", "1")
    crm.faults.append(always("open_tasks", lambda: json_response({"message": "Overloaded"}, status)))
    with pytest.raises(ApiUnavailable, match=f"open_tasks, page 1: status {status}, 'Overloaded'") as raised:
        read()
    assert crm.pages("open_tasks") == [1]
    assert raised.value.may_recover


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_requests_are_in_flight_than_allowed(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setenv("SOURCES__CRM__MAX_IN_FLIGHT", str(most))
    with configured_crm(lists={"open_tasks": tasks(900)}, latency=0.03) as crm:
        reading = read()
    assert crm.most_in_flight == most
    assert reading.ids == list(range(1, 901))
