"""Clocks that are or were wrong: tables are the same as with right ones."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from crm_assets.source.http import limits
from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.data_dirs import connected, use_data_dir
from crm_assets_tests.processes import completed
from crm_assets_tests.scripted_crm import Seen, configured_crm, tasks

pytestmark = pytest.mark.slow

STORED_IDS = ("open_tasks", "sync_log", "sync_details", "sync_changes")

CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long ahead(void) { return atol(getenv("SECONDS_AHEAD")); }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += ahead();
    return failed;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
"""
"""A library that sets the clock of a process that loads it first."""

RUN = """
import sys
from crm_assets.__main__ import main
from crm_assets_tests.assets.raw_runs import materialize
assert materialize("open_tasks", mode=sys.argv.pop()).success
sys.argv += ["build", "staging.stg_open_tasks", "snapshots.open_tasks_history"]
sys.exit(main())
"""

CHANGES = "select * exclude (version, _dlt_load_id) from raw.sync_changes order by _dlt_load_id"

HISTORY = """
select
    task_id,
    list(owner_id order by dbt_valid_from),
    list(dbt_valid_to is null order by dbt_valid_from),
    bool_and(dbt_valid_from < coalesce(dbt_valid_to, 'infinity'))
from snapshots.open_tasks_history
group by task_id
order by task_id
"""

HOUR, DAY = 3600, 86400


def slow(*values: Any) -> list[Any]:
    """Parameters that make test leaves out."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


def shown(data_dir: Path) -> list[Any]:
    """The tasks that staging models see."""
    return rows(data_dir / "crm.duckdb", "select id, title from present.open_tasks order by id")


def as_listed(records: Sequence[Mapping[str, Any]]) -> list[Any]:
    return sorted((record["id"], record["title"]) for record in records)


def as_of_earlier_release(data_dir: Path, load_id: str, ahead: timedelta) -> None:
    """Makes the one read of a database that of a release whose load ids were times of the clock."""
    with connected(data_dir / "crm.duckdb", read_only=False) as connection:
        for table in STORED_IDS:
            connection.execute(f"update raw.{table} set _dlt_load_id = ?", [load_id])
        connection.execute("update raw.sync_changes set version = ?", [load_id])
        connection.execute("update raw.sync_log set started_at = started_at + ?", [ahead])
        connection.execute("drop table raw.load_counter; alter table raw.sync_details drop column answered_at")


@pytest.mark.long
@pytest.mark.parametrize("load_id", ["1764418512.1234567", *slow("2080000000.1", "999999999.25")])
def test_load_ids_are_above_those_of_any_clock(data_dir: Path, load_id: str) -> None:
    with configured_crm(lists={"open_tasks": tasks(30)}) as crm:
        materialize("open_tasks")
        as_of_earlier_release(data_dir, load_id, timedelta(days=2))
        crm.lists["open_tasks"] = [*tasks(20, first=5)[1:], {"id": 5, "title": "changed"}, *tasks(3, first=40)]
        run = materialize("open_tasks")

        assert shown(data_dir) == as_listed(crm.lists["open_tasks"])
    assert [run.metadata("open_tasks")[f"crm/rows_{what}"] for what in ("new", "changed", "vanished")] == [3, 1, 10]
    ids = rows(data_dir / "crm.duckdb", "select _dlt_load_id from raw.sync_log order by _dlt_load_id")
    assert ids[0] == (load_id,)


@pytest.mark.long
def test_load_ids_increase_with_the_beginning_of_reads(data_dir: Path) -> None:
    with configured_crm(lists={"open_tasks": tasks(3), "accounts": tasks(3)}):
        materialize("open_tasks", "accounts")
        materialize("open_tasks")
    ids = rows(data_dir / "crm.duckdb", "select _dlt_load_id from raw.sync_log order by started_at")
    assert ids == sorted(set(ids))
    assert len({len(load_id) for (load_id,) in ids}) == 1


def test_load_id_is_no_change_of_a_table() -> None:
    with configured_crm(lists={"open_tasks": tasks(3)}, credentials=("api_key", "another")):
        assert "updated" not in materialize("open_tasks").failure("open_tasks")


@pytest.mark.long
@pytest.mark.parametrize("ahead", [*slow(timedelta(hours=-1)), timedelta(days=2)], ids=str)
def test_change_during_a_read_is_found_later(data_dir: Path, monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "10")
    monkeypatch.setenv("SOURCES__CRM__INCREMENTAL_LAG", "0")
    monkeypatch.setenv("SOURCES__CRM__MAX_IN_FLIGHT", "1")
    began = datetime.now(timezone.utc)

    def account(id_: int, seconds: float, name: str = "old") -> dict[str, Any]:
        return {"id": id_, "name": name, "updated_at": (began + timedelta(seconds=seconds)).isoformat()}

    with configured_crm(lists={"accounts": [account(id_, -DAY - id_) for id_ in range(1, 61)]}) as crm:

        def change(seen: Seen) -> None:
            if seen.page == 2:
                crm.lists["accounts"][0] = account(1, 10, "changed")
                for number in range(30, 60):
                    crm.lists["accounts"][number] = account(number + 1, 20, "changed")

        crm.before_page = change
        materialize("accounts")
        crm.before_page = None
        with connected(data_dir / "crm.duckdb", read_only=False) as connection:
            connection.execute("update raw.sync_log set started_at = started_at + ?", [ahead])
        run = materialize("accounts", mode="incremental")

        assert run.metadata("accounts")["crm/mode"] == "incremental"
        assert rows(data_dir / "crm.duckdb", "select name from raw.accounts where id = 1") == [("changed",)]


@pytest.mark.file  # a lake has a ledger of its own
def test_requests_in_the_future_do_not_use_up_a_rate(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with configured_crm(lists={"open_tasks": tasks(30)}):
        materialize("open_tasks")
        with connected(data_dir / "crm.duckdb", read_only=False) as connection:
            connection.execute("update raw.sync_log set started_at = now() + interval 2 days, requests = 100")
        limits._limits.cache_clear()  # as in another process, where nothing was sent yet
        monkeypatch.setenv("SOURCES__CRM__REQUESTS_PER_HOUR", "100")
        assert materialize("open_tasks").metadata("open_tasks")["crm/seconds_waiting"] < 1


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that sets a process's clock."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", str(library), "-ldl"]
    subprocess.run(command, input=CLOCK.encode(), check=True)
    return library


@pytest.fixture(scope="module")
def right(clock: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """The tables with a right clock."""
    return tables(clock, tmp_path_factory.mktemp("right"), (0, 0, 0))


@pytest.mark.long
@pytest.mark.file
@pytest.mark.parametrize("clocks", [(2 * DAY, 0, 0), (0, HOUR, 0)], ids=str)
def test_wrong_clocks_give_the_same_tables(
    clock: Path, tmp_path: Path, clocks: Sequence[int], right: tuple[Any, ...]
) -> None:
    assert tables(clock, tmp_path / "wrong", clocks) == right


def tables(clock: Path, folder: Path, clocks: Sequence[int]) -> tuple[Any, ...]:
    """The tables after some runs, each in a process whose clock is as many seconds ahead."""
    with configured_crm(lists={}) as crm, pytest.MonkeyPatch.context() as monkeypatch:
        use_data_dir(monkeypatch, folder)
        for number, seconds in enumerate(clocks):
            crm.lists["open_tasks"] = tasks_at(number)
            command = [sys.executable, "-c", RUN, "incremental" if number == 1 else "full"]
            environment = os.environ | {"LD_PRELOAD": str(clock), "SECONDS_AHEAD": str(seconds)}
            ended = completed(command, env=environment)
            assert ended.returncode == 0, ended.stderr
        assert shown(folder) == as_listed(crm.lists["open_tasks"])
    database = folder / "crm.duckdb"
    return rows(database, CHANGES), rows(database, HISTORY)


def tasks_at(number: int) -> list[dict[str, Any]]:
    """The tasks before a run: with each, one is new, one has vanished, and two change their owner."""
    return [
        {"id": id_, "title": f"Task {id_} at {number}", "owner_id": number if id_ in {11, 12} else 0}
        for id_ in range(number, 20 + number)
    ]
