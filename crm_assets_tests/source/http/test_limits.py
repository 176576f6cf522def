"""Requests leave in their order, within the window and the rate, and stand still when the API says so."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from requests import PreparedRequest, Request
from requests import Response as Received
from starlette.responses import Response

from crm_assets.source.http import limits as traffic_module
from crm_assets.source.http.limits import Traffic, seconds_until
from crm_assets.source.reading.read_ahead import ReadAhead
from crm_assets_tests.scripted_crm import ScriptedCrm, failing
from crm_assets_tests.source.source_reads import configured_crm, read, tasks

ROWS = 900


def departures(traffic: Traffic, count: int, threads: int) -> list[float]:
    """When requests left that all wanted to at once; monotonic seconds, sorted."""

    def leave(_: int) -> float:
        with traffic.passage():
            return time.monotonic()

    with ThreadPoolExecutor(threads) as pool:
        return sorted(pool.map(leave, range(count)))


def test_no_period_sees_more_requests_than_the_rate_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic_module, "MINUTE", 0.5)
    left = departures(Traffic(max_in_flight=8, requests_per_minute=10), count=25, threads=8)
    # A thread may look at the clock a little after it was let through.
    assert all(later - earlier >= 0.35 for earlier, later in zip(left, left[10:], strict=False))


@pytest.mark.parametrize(
    ("seconds", "windows"),
    [pytest.param(0.05, [4, 8, 8], id="slow answers"), pytest.param(0.0, [2, 2, 2], id="answers at once")],
)
def test_the_window_grows_up_to_its_maximum_where_pages_have_to_be_waited_for(
    seconds: float, windows: list[int]
) -> None:
    traffic = Traffic(max_in_flight=8, requests_per_minute=None)

    def fetch(request: PreparedRequest) -> Received:
        with traffic.passage(request.place):  # type: ignore[attr-defined]
            time.sleep(seconds)
        return Received()

    pages = ReadAhead(fetch, traffic, threads=8)
    seen = []
    for page in range(1, 4):
        pages.get(Request("GET", f"http://localhost/?page={page}").prepare())
        seen.append(traffic.window)
    pages.close()
    assert seen == windows


def test_a_429_halves_the_window_which_then_grows_one_by_one() -> None:
    traffic = Traffic(max_in_flight=8, requests_per_minute=None)
    windows = []
    for change in (traffic.widen, traffic.widen, partial(traffic.throttled, {}, backoff=0), traffic.widen):
        change()
        windows.append(traffic.window)
    assert windows == [4, 8, 4, 5]


def test_never_more_than_the_window_are_in_flight() -> None:
    traffic = Traffic(max_in_flight=3, requests_per_minute=None)
    traffic.widen()
    inside: list[int] = []
    now = 0
    counting = threading.Lock()

    def go(_: int) -> None:
        nonlocal now
        with traffic.passage():
            with counting:
                now += 1
                inside.append(now)
            time.sleep(0.01)
            with counting:
                now -= 1

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(go, range(20)))
    assert max(inside) == 3


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(lambda traffic: traffic.throttled({"Retry-After": "0.4"}, backoff=0), id="429 with Retry-After"),
        pytest.param(lambda traffic: traffic.throttled({}, backoff=0.4), id="429 without"),
        pytest.param(
            lambda traffic: traffic.succeeded({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0.4"}),
            id="nothing remains of the rate limit",
        ),
    ],
)
def test_all_requests_wait_as_long_as_the_api_says(told: Callable[[Traffic], None]) -> None:
    traffic = Traffic(max_in_flight=8, requests_per_minute=None)
    began = time.monotonic()
    told(traffic)
    assert departures(traffic, count=4, threads=4)[0] - began >= 0.4


def read_both() -> None:
    """Reads two resources of one CRM at the same time, completely."""
    with ThreadPoolExecutor(2) as pool:
        for reading in pool.map(read, ["open_tasks", "past_appointments"]):
            assert reading.ids == list(range(1, ROWS + 1))


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedCrm]:
    """A CRM with two lists of eighteen pages."""
    lists = {resource: tasks(ROWS) for resource in ("open_tasks", "past_appointments")}
    with configured_crm(monkeypatch, lists=lists, latency=0.02) as crm:
        yield crm


def test_no_period_sees_more_requests_of_all_resources_than_the_rate_allows_retries_included(
    crm: ScriptedCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic_module, "MINUTE", 1.0)
    monkeypatch.setenv("SOURCES__CRM__REQUESTS_PER_MINUTE", "15")
    crm.faults += [failing("open_tasks", page=page, answers=[Response("", 503)] * 2) for page in (1, 2, 9)]
    read_both()
    came = sorted(seen.at for seen in crm.seen)
    assert len(came) >= 36 + 6
    # Some milliseconds pass between a departure and its arrival.
    assert all(later - earlier >= 0.8 for earlier, later in zip(came, came[15:], strict=False))


def test_a_429_on_one_resource_stops_the_requests_of_all(crm: ScriptedCrm) -> None:
    crm.faults.append(failing("open_tasks", page=6, answers=[Response("", 429, headers={"Retry-After": "1"})]))
    read_both()
    refused = next(seen.at for seen in crm.seen if (seen.resource, seen.page) == ("open_tasks", 6))
    # Those that had left before the answer was read may still arrive.
    assert [seen for seen in crm.seen if refused + 0.2 < seen.at < refused + 0.9] == []
    assert {seen.resource for seen in crm.seen if seen.at > refused + 0.9} == {"open_tasks", "past_appointments"}


def test_pages_are_fetched_while_others_are_on_their_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with configured_crm(monkeypatch, lists={"open_tasks": tasks(2000)}, latency=0.03) as crm:
        read()
        assert sorted(crm.pages("open_tasks")) == list(range(1, 41))
        assert 4 <= crm.most_in_flight <= 8


@pytest.mark.parametrize("pages", [1, 3, 40])
def test_without_a_total_few_requests_are_made_in_vain(monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    with configured_crm(monkeypatch, lists={"open_tasks": tasks(pages * 50)}, with_meta=False) as crm:
        read()
        asked = crm.pages("open_tasks")
        assert set(range(1, pages + 2)) <= set(asked)
        assert len(asked) - (pages + 1) <= min(7, pages // 4)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        pytest.param(None, None, id="nothing"),
        pytest.param("", None, id="empty"),
        pytest.param("soon", None, id="a word"),
        pytest.param("7", 7, id="seconds"),
        pytest.param("-3", 0, id="negative"),
        pytest.param("Wed, 21 Oct 2015 07:28:00 GMT", 0, id="a date in the past"),
        pytest.param("1445412480", 0, id="epoch seconds in the past"),
    ],
)
def test_seconds_to_wait_are_read_from_what_the_api_tells(told: str | None, seconds: float | None) -> None:
    assert seconds_until(told) == seconds


def test_a_retry_leaves_before_those_who_came_after_it() -> None:
    traffic = Traffic(max_in_flight=1, requests_per_minute=None)
    first, second = traffic.take_place(), traffic.take_place()
    left = []
    with traffic.passage(first):
        left.append("first")
    with traffic.passage(first):  # the second has not come yet, as its thread is busy
        left.append("first again")
    with traffic.passage(second):
        left.append("second")
    assert left == ["first", "first again", "second"]
