"""An allowance holds for all processes together, and comes back as requests grow old."""

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from crm_assets.source.http.limits import Rate
from crm_assets.warehouse.lake.coordination import counted_requests
from crm_assets_tests.lake_servers import LakeServers, dsn_of

pytestmark = pytest.mark.slow

HOURLY = [Rate("requests_per_hour", 20, 3600)]


@pytest.fixture
def dsn(servers: LakeServers) -> str:
    """A database without a count."""
    return dsn_of(servers.new_lake()["CRM_WAREHOUSE"])


def test_processes_share_one_rate_limit(dsn: str) -> None:
    def ask(_: int) -> list[float]:
        with counted_requests(dsn, "https://crm.example") as count:
            return [count(HOURLY) for _ in range(10)]

    with ThreadPoolExecutor(4) as threads:
        granted = [wait for waits in threads.map(ask, range(4)) for wait in waits]
    assert sum(wait == 0 for wait in granted) == 20
    assert all(3500 < wait < 3601 for wait in granted if wait)


def test_a_request_counts_no_longer_than_its_period(dsn: str) -> None:
    rate = [Rate("requests_per_minute", 1, 0.2)]
    with counted_requests(dsn, "https://crm.example") as count:
        assert count(rate) == 0
        wait = count(rate)
        assert 0 < wait <= rate[0].whole_period
        time.sleep(wait)
        assert count(rate) == 0


def test_each_crm_has_an_allowance_of_its_own(dsn: str) -> None:
    rate = [Rate("requests_per_hour", 1, 3600)]
    for crm in ("https://one.example", "https://other.example"):
        with counted_requests(dsn, crm) as count:
            assert count(rate) == 0
            assert count(rate) > 0


def test_requests_in_the_future_do_not_use_up_a_rate(dsn: str) -> None:
    rate = [Rate("requests_per_hour", 1, 3600)]
    ahead = "update crm_assets_requests set sent_at = sent_at + interval '2 days'"
    with counted_requests(dsn, "https://crm.example") as count, psycopg.connect(dsn, autocommit=True) as session:
        assert count(rate) == 0
        assert session.execute(ahead).rowcount == 1  # as sent with a clock that is right again
        assert count(rate) == 0
        assert 3500 < count(rate) < 3601
    with counted_requests(dsn, "https://crm.example"), psycopg.connect(dsn) as session:
        assert session.execute("select count(*) from crm_assets_requests").fetchone() == (1,)
