"""Deliberate faults."""

import time

import pytest

from crm_assets.sandbox import Faults
from crm_assets_tests.sandbox.client import client_of_sandbox


def statuses(faults: Faults, requests_sent: int = 40) -> list[int]:
    """Send some requests to a new sandbox."""
    with client_of_sandbox(rows=50, faults=faults) as client:
        return [client.get("/v1/tasks").status_code for _ in range(requests_sent)]


def test_a_share_of_the_requests_fails_and_always_the_same() -> None:
    faults = Faults(status=500, rate=0.3)
    first = statuses(faults)
    assert 4 < first.count(500) < 22
    assert statuses(faults) == first


@pytest.mark.parametrize("retry_after", ["Wed, 18 Mar 2026 12:00:00 GMT", None])
def test_a_failing_answer_has_retry_after_if_requested(retry_after: str | None) -> None:
    with client_of_sandbox(rows=50, faults=Faults(status=429, rate=1, retry_after=retry_after)) as client:
        answer = client.get("/v1/tasks")
    assert answer.headers.get("Retry-After") == retry_after
    assert answer.json()["errors"]["code"] == 429


def test_a_gateway_answers_in_html() -> None:
    with client_of_sandbox(rows=50, faults=Faults(status=502, rate=1)) as client:
        answer = client.get("/v1/tasks")
    assert answer.headers["Content-Type"].startswith("text/html")


def test_latency_holds_every_answer_back() -> None:
    begun = time.monotonic()
    statuses(Faults(latency=0.05), requests_sent=3)
    assert time.monotonic() - begun >= 0.15
