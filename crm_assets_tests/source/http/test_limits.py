"""Requests leave within the window and the rates, and stand still when the API says so."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from requests import Request
from starlette.responses import Response

from crm_assets.settings import resolve_settings
from crm_assets.source.crm_source import dlt_context
from crm_assets.source.http import limits as limits_module
from crm_assets.source.http.answers import Answer, seconds_until
from crm_assets.source.http.limits import Limits, Rate, ReadClosed
from crm_assets.source.http.session import PageSession
from crm_assets_tests.scripted_crm import ScriptedCrm, configured_crm, failing, json_response, tasks
from crm_assets_tests.source.source_reads import pauses_of, read

ROWS = 900
WINDOW = 8

OPEN = threading.Event()
"""A read that is not closed."""


def departures(limits: Limits, count: int, threads: int) -> list[float]:
    """When requests left that all wanted to at once; monotonic seconds, sorted."""

    def leave(_: int) -> float:
        with limits.request(OPEN, print):
            return time.monotonic()

    with ThreadPoolExecutor(threads) as pool:
        return sorted(pool.map(leave, range(count)))


def test_no_period_sees_more_requests_than_the_rate_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_module, "MARGIN", 0)
    began = time.monotonic()
    left = departures(Limits(8, [Rate("requests_per_minute", 10, period=0.5)]), count=25, threads=8)
    assert all(at - began >= 0.5 * (earlier // 10) for earlier, at in enumerate(left))


def test_two_rates_hold_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_module, "MARGIN", 0)
    rates = [Rate("requests_per_minute", 2, period=0.1), Rate("requests_per_hour", 5, period=0.8)]
    began = time.monotonic()
    left = departures(Limits(8, rates), count=6, threads=6)
    assert left[2] - began >= 0.1
    assert left[5] - began >= 0.8


def test_used_up_rate_is_announced_once_with_its_setting() -> None:
    limits = Limits(8, [Rate("requests_per_hour", 1, period=3600)])
    closed, announced = threading.Event(), list[str]()
    with limits.request(closed, announced.append):
        pass
    threading.Timer(0.2, closed.set).start()
    with pytest.raises(ReadClosed), limits.request(closed, announced.append):
        pass
    [message] = announced
    assert "SOURCES__CRM__REQUESTS_PER_HOUR (1) is used up" in message


def test_requests_of_earlier_processes_count_for_the_rate() -> None:
    limits = Limits(8, [Rate("requests_per_hour", 100, period=3600)])
    limits.count_earlier([(1800.0, 60), (60.0, 40)])
    closed = threading.Event()
    closed.set()
    with pytest.raises(ReadClosed), limits.request(closed, print):
        pass


def test_a_429_halves_the_window() -> None:
    limits = Limits(8)
    windows = []
    for _ in range(5):
        windows.append(limits.window)
        limits.halve()
    assert windows == [8, 4, 2, 1, 1]


def test_never_more_than_the_window_are_in_flight() -> None:
    limits, inside = Limits(3), list[int]()

    def go(_: int) -> None:
        with limits.request(OPEN, print):
            inside.append(limits._in_flight)
            time.sleep(0.01)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(go, range(20)))
    assert max(inside) == 3


def test_all_requests_wait_for_the_end_of_a_pause() -> None:
    limits = Limits(8)
    began = time.monotonic()
    assert limits.pause(0.4)
    assert not limits.pause(0.3)
    assert departures(limits, count=4, threads=4)[0] - began >= 0.4


def read_both() -> None:
    """Reads two resources of one CRM at the same time, completely."""
    with ThreadPoolExecutor(2) as pool:
        for reading in pool.map(read, ["open_tasks", "past_appointments"]):
            assert reading.ids == list(range(1, ROWS + 1))


@pytest.fixture
def crm() -> Iterator[ScriptedCrm]:
    """A CRM with two lists of eighteen pages."""
    lists = {resource: tasks(ROWS) for resource in ("open_tasks", "past_appointments")}
    # dlt has one context for all threads. The read that ends first would remove it from the other.
    with dlt_context(), configured_crm(lists=lists, latency=0.02) as crm:
        yield crm


@pytest.mark.slow
def test_rate_limit_counts_all_resources_and_retries(crm: ScriptedCrm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_module, "MINUTE", 1.0)
    monkeypatch.setattr(limits_module, "MARGIN", 0)
    monkeypatch.setenv("SOURCES__CRM__REQUESTS_PER_MINUTE", "15")
    crm.faults += [failing("open_tasks", page=page, answers=[Response("", 503)] * 2) for page in (1, 2, 9)]
    began = time.monotonic()
    read_both()
    came = sorted(seen.at for seen in crm.seen)
    assert len(came) >= 36 + 6
    assert all(at - began >= earlier // 15 for earlier, at in enumerate(came))


@pytest.mark.slow
def test_a_429_on_one_resource_stops_the_requests_of_all(crm: ScriptedCrm, monkeypatch: pytest.MonkeyPatch) -> None:
    crm.lists["past_appointments"] = tasks(6 * ROWS)  # far from read when the pause begins
    crm.faults.append(failing("open_tasks", page=2, answers=[Response("", 429, headers={"Retry-After": "1"})]))
    pauses, begun = pauses_of(monkeypatch), threading.Event()
    crm.before_page = lambda seen: begun.set() if seen.resource == "open_tasks" else None

    def read_the_longer() -> None:
        assert begun.wait(60)
        read("past_appointments")

    with ThreadPoolExecutor(2) as pool:
        for reading in (pool.submit(read, "open_tasks"), pool.submit(read_the_longer)):
            reading.result()
    [(since, until)] = pauses
    # Those that had left before may still arrive.
    assert len([seen for seen in crm.seen if since < seen.at < until]) < WINDOW
    assert {seen.resource for seen in crm.seen if seen.at >= until} == {"open_tasks", "past_appointments"}


def test_used_up_rate_limit_pauses_all_requests(crm: ScriptedCrm) -> None:
    records = json_response(
        {"tasks": tasks(50), "meta": {"total": ROWS}}, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}
    )
    crm.faults.append(failing("open_tasks", page=1, answers=[records]))
    read()
    [first, second, *_] = crm.seen
    assert second.at - first.at >= 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "7"}, 7),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "7"}, 7),
        ({"RateLimit": "limit=10, remaining=0, reset=7"}, 7),
        ({"RateLimit": '"burst";r=0;t=7, "day";r=50;t=8000'}, 7),
        ({"RateLimit": '"burst";r=5;t=8, "day";r=0;t=7000'}, 7000),
        ({"RateLimit": '"burst";r=5;t=8', "RateLimit-Remaining": "5", "RateLimit-Reset": "8"}, 0),
    ],
)
def test_rate_limits_are_read_from_headers_of_any_name(headers: dict[str, str], seconds: float) -> None:
    assert Answer(200, headers, b"").until_reset == seconds
    assert (Answer(429, headers, b"").retry_after or 0) == seconds
    assert Answer(429, {"Retry-After": "1", **headers}, b"").retry_after == 1
    assert Answer(503, headers, b"").retry_after is None


def test_a_reset_in_milliseconds_is_no_date_far_away() -> None:
    headers = {"X-RateLimit-Reset": f"{(time.time() + 100) * 1000:.0f}"}
    assert (seconds_until(headers, "X-RateLimit-Reset") or 0) == pytest.approx(100, abs=30)


@pytest.fixture
def _in_new_york() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_in_new_york")
@pytest.mark.parametrize(
    "reset", ["Wed, 21 Oct 2015 07:28:07 GMT", "Wed Oct 21 07:28:07 2015", "1445412487", "1445412487000"]
)
def test_waits_until_a_time_follow_the_clock_of_the_api(reset: str) -> None:
    assert seconds_until({"Date": "Wed, 21 Oct 2015 07:28:00 GMT", "Reset": reset}, "Reset") == 7


def test_no_request_is_sent_after_they_are_counted(crm: ScriptedCrm) -> None:
    """A page that was prefetched in vain can still wait for its turn."""
    session = PageSession(resolve_settings(), "open_tasks", lambda _: None, lambda _: None)
    session.close()
    with pytest.raises(ReadClosed):
        session.send(session.prepare_request(Request("GET", f"{crm.base_url}/tasks", params={"page": 1})))
    assert (session.requests, crm.seen) == (0, [])


@pytest.mark.slow
@pytest.mark.parametrize("pages", [1, 3, 40])
def test_list_without_a_total_takes_few_requests_in_vain(pages: int) -> None:
    with configured_crm(lists={"open_tasks": tasks(pages * 50)}, with_meta=False) as crm:
        read()
        asked = crm.pages("open_tasks")
        assert set(range(1, pages + 3)) <= set(asked)
        assert len(asked) - (pages + 2) <= pages // 4


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param(None, None, id="nothing"),
        pytest.param("", None, id="empty"),
        pytest.param("soon", None, id="a word"),
        pytest.param("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None, id="a date that no calendar has"),
        pytest.param("nan", None, id="no number"),
        pytest.param("inf", None, id="for ever"),
        pytest.param("1e308", None, id="a number of 308 digits"),
        pytest.param("7", 7, id="seconds"),
        pytest.param("-3", 0, id="negative"),
        pytest.param("Wed, 21 Oct 2015 07:28:00 GMT", 0, id="a date in the past"),
        pytest.param("1445412480", 0, id="epoch seconds in the past"),
    ],
)
def test_seconds_to_wait_are_read_from_headers(header: str | None, seconds: float | None) -> None:
    assert seconds_until({} if header is None else {"Retry-After": header}, "Retry-After") == seconds
