"""An allowance holds for all processes together, and comes back as requests grow old."""

import threading
import time

import pytest

from crm_assets.source.http.limits import Rate
from crm_assets.warehouse.lake.request_ledger import postgres_ledger
from crm_assets_tests.assets.raw_runs import configured_crm, materialize, tasks
from crm_assets_tests.lake_servers import LakeServers

pytestmark = pytest.mark.slow

HOURLY = [Rate("requests_per_hour", 20, 3600)]


@pytest.fixture
def dsn(servers: LakeServers) -> str:
    """A database without a ledger."""
    return servers.new_lake()["CRM_WAREHOUSE"].removeprefix("ducklake:postgres:")


def test_processes_that_ask_at_once_get_no_more_than_the_rate_together(dsn: str) -> None:
    granted: list[float] = []

    def ask() -> None:
        with postgres_ledger(dsn, "https://crm.example") as ledger:
            granted.extend(ledger.reserve(HOURLY) for _ in range(10))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(wait == 0 for wait in granted) == 20
    assert all(3500 < wait < 3601 for wait in granted if wait)


def test_a_request_counts_no_longer_than_its_period(dsn: str) -> None:
    rate = [Rate("requests_per_minute", 1, 0.2)]
    with postgres_ledger(dsn, "https://crm.example") as ledger:
        assert ledger.reserve(rate) == 0
        wait = ledger.reserve(rate)
        assert 0 < wait <= rate[0].whole_period
        time.sleep(wait)
        assert ledger.reserve(rate) == 0


def test_each_crm_has_an_allowance_of_its_own(dsn: str) -> None:
    rate = [Rate("requests_per_hour", 1, 3600)]
    for crm in ("https://one.example", "https://other.example"):
        with postgres_ledger(dsn, crm) as ledger:
            assert ledger.reserve(rate) == 0
            assert ledger.reserve(rate) > 0


def test_the_requests_of_a_read_are_counted(servers: LakeServers, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = servers.new_lake() | {"SOURCES__CRM__REQUESTS_PER_HOUR": "500"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with configured_crm(lists={"open_tasks": tasks(120)}) as crm:
        assert materialize("open_tasks").success
        with postgres_ledger(settings["CRM_WAREHOUSE"].removeprefix("ducklake:postgres:"), crm.base_url) as ledger:
            assert ledger.reserve([Rate("requests_per_hour", len(crm.seen), 3600)]) > 0
            assert ledger.reserve([Rate("requests_per_hour", len(crm.seen) + 1, 3600)]) == 0
