"""Several processes write one lake at once, some of them killed: nothing is lost, nothing is there twice.

`KILLS=100 pytest crm_assets_tests/warehouse/test_concurrent_writers.py` kills a hundred processes instead of a few.
"""

import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import psycopg
import pytest

from crm_assets.api import ENDPOINTS
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.lake_servers import LakeServers, dsn_of
from crm_assets_tests.processes import exit_codes, started
from crm_assets_tests.scripted_crm import ScriptedCrm, configured_crm, tasks

KILLS = int(os.environ.get("KILLS", "2"))

pytestmark = [pytest.mark.long, pytest.mark.timeout(900 + 60 * KILLS)]

BEFORE, AFTER = 100, 250

ALLOWANCE = 20
"""Requests an hour: more than a read of ten pages needs, and fewer than five reads do."""


@pytest.fixture
def crm(servers: LakeServers, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedCrm]:
    """A CRM whose five lists are in a lake, and have grown since."""
    for name, value in servers.new_lake().items():
        monkeypatch.setenv(name, value)
    with configured_crm(lists={resource: tasks(BEFORE) for resource in ENDPOINTS}) as crm:
        assert materialize().success
        for resource in ENDPOINTS:
            crm.lists[resource] = tasks(AFTER)
        yield crm


def sync(resource: str) -> None:
    """What a process does: a run of one raw asset."""
    sys.exit(not materialize(resource).success)


def counted(connection: duckdb.DuckDBPyConnection, resource: str) -> tuple[int, int]:
    """Rows of a raw table, and how many ids they have."""
    [(rows, ids)] = connection.execute(f"select count(*), count(distinct id) from raw.{resource}").fetchall()
    return rows, ids


def rows_and_ids(*resources: str) -> set[tuple[int, int]]:
    """The same for some resources, as they are now."""
    with Warehouse().read_connection() as connection:
        return {counted(connection, resource) for resource in resources}


@contextmanager
def watched() -> Iterator[set[tuple[int, int]]]:
    """What a reader sees of all tables while the body runs."""
    seen: set[tuple[int, int]] = set()
    ended = threading.Event()

    def watch() -> None:
        with Warehouse().read_connection() as connection:
            while not ended.wait(0.1):
                seen.update(counted(connection, resource) for resource in ENDPOINTS)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        ended.set()
        watching.join()


@pytest.mark.usefixtures("crm")
def test_concurrent_loads_of_five_resources_succeed() -> None:
    with watched() as seen:
        processes = [started(sync, resource) for resource in (*ENDPOINTS, "open_tasks", "open_tasks")]
        assert exit_codes(*processes) == [0] * len(processes)
    assert seen <= {(BEFORE, BEFORE), (AFTER, AFTER)}
    assert (BEFORE, BEFORE) in seen
    assert rows_and_ids(*ENDPOINTS) == {(AFTER, AFTER)}
    with Warehouse().read_connection() as connection:
        reads = connection.execute("select count(*) from raw.sync_log where resource = 'open_tasks'").fetchall()
    assert reads == [(1 + 3,)]


def test_rejected_records_of_loads_at_once_are_stored_once(crm: ScriptedCrm) -> None:
    resources = [*ENDPOINTS][:3]
    for resource in resources:
        crm.lists[resource] = [*tasks(AFTER), {"title": "no id"}]
    for _ in range(2):
        processes = [started(sync, resource) for resource in resources]
        assert exit_codes(*processes) == [0] * len(processes)
    with Warehouse().read_connection() as connection:
        found = connection.execute("select resource, last_seen > first_seen from raw.rejected_records order by 1")
        assert found.fetchall() == [(resource, True) for resource in sorted(resources)]


def test_processes_killed_at_random_lose_and_double_nothing(crm: ScriptedCrm) -> None:
    chance = random.Random(7)  # noqa: S311 # the same moments each time, as parts of what a read takes
    began = time.monotonic()
    assert exit_codes(started(sync, "open_tasks")) == [0]
    takes, killed, grown = time.monotonic() - began, 0, AFTER
    while killed < KILLS:
        grown += 1
        crm.lists["open_tasks"] = crm.lists["accounts"] = tasks(grown)
        before = rows_and_ids("open_tasks")
        victim, spared = started(sync, "open_tasks"), started(sync, "accounts")
        victim.join(takes * chance.uniform(0.2, 1.4))
        victim.kill()
        assert exit_codes(spared) == [0]
        killed += exit_codes(victim) != [0]
        assert rows_and_ids("open_tasks") in (before, {(grown, grown)})
        assert rows_and_ids("accounts") == {(grown, grown)}
    assert materialize("open_tasks").success
    assert rows_and_ids("open_tasks") == {(grown, grown)}


def test_an_hourly_allowance_holds_for_all_processes_together(
    crm: ScriptedCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__CRM__REQUESTS_PER_HOUR", str(ALLOWANCE))
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", str(AFTER // 10))
    monkeypatch.setenv("SOURCES__CRM__MAX_IN_FLIGHT", "2")
    crm.seen.clear()
    processes = [started(sync, resource) for resource in ENDPOINTS]
    hours = 1
    while any(process.is_alive() for process in processes):
        assert len(crm.seen) <= ALLOWANCE * hours
        hours += an_hour_passes_if_no_request_is_left()
        time.sleep(0.1)
    assert exit_codes(*processes) == [0] * len(processes)
    assert hours > 2
    assert rows_and_ids(*ENDPOINTS) == {(AFTER, AFTER)}


def an_hour_passes_if_no_request_is_left() -> bool:
    """Makes all counted requests an hour older if the allowance is used up. Returns whether it was."""
    with psycopg.connect(dsn_of(os.environ["CRM_WAREHOUSE"])) as connection:
        [[counted]] = connection.execute(
            "select count(*) from crm_assets_requests where sent_at > now() - interval '1 hour'"
        ).fetchall()
        if counted == ALLOWANCE:
            connection.execute("update crm_assets_requests set sent_at = sent_at - interval '1 hour 1 minute'")
        return bool(counted == ALLOWANCE)
