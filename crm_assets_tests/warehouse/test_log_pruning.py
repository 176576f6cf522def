"""Old rows of the log tables are deleted, and no later read notices."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_assets.api import LOG_TABLES
from crm_assets.loading.shared_tables import prune_logs
from crm_assets.loading.sync_log import ListRequest, loaded_from, read_cursor, write_sync_log
from crm_assets.source.reading.report import ReadMode, ReadReport
from crm_assets.warehouse.lake.address import connected_with
from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.data_dirs import connected
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.scripted_crm import configured_crm, tasks

pytestmark = pytest.mark.slow

NOW = datetime.now(timezone.utc)

ASKED = ListRequest.of("http://crm", "/accounts", {})

READS = st.lists(st.tuples(st.sampled_from(ReadMode), st.booleans(), st.integers(0, 1500)), min_size=1, max_size=8)
"""Reads, oldest first: mode, whether complete, and days since the one before."""


@pytest.fixture(scope="module")
def crm() -> Iterator[RawTables]:
    """Raw tables with one account."""
    tables = RawTables(duckdb.connect())
    tables.add("accounts", 1, "9", updated_at=NOW)
    yield tables
    tables.connection.close()


def log(crm: RawTables, load_id: str, report: ReadReport) -> None:
    write_sync_log(crm.connection, report, ASKED, load_id)
    crm.connection.execute("insert into raw.sync_changes values (?, 0, 0, 0, 0, '', ?)", [report.resource, load_id])


def loads(crm: RawTables, table: str) -> list[str]:
    found = crm.connection.execute(f"select _dlt_load_id from raw.{table} order by all").fetchall()
    return [load_id for (load_id,) in found]


def known(crm: RawTables) -> tuple[Any, ...]:
    """What later reads and the models take from the log."""
    since = crm.connection.execute("select load_id from present.since").fetchall()
    return since, read_cursor(crm.connection, "accounts", ASKED, 60), loaded_from(crm.connection)


def set_back(database: Path, years: int, *load_ids: str) -> None:
    with connected(database, read_only=False) as connection:
        connection.execute(
            "update raw.sync_log set started_at = started_at - to_years(?) where list_contains(?, _dlt_load_id)",
            [years, [*load_ids]],
        )


def stored(database: Path, resource: str = "open_tasks") -> dict[str, list[str]]:
    """Log table -> the loads of its rows."""
    found = "select distinct _dlt_load_id from raw.{} where resource = '{}' order by 1"
    return {table: [load for (load,) in rows(found.format(table, resource), database)] for table in LOG_TABLES}


@pytest.mark.long
@pytest.mark.parametrize(("days", "pruned"), [(None, True), ("0", False)])
def test_old_rows_are_deleted_by_a_load(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, days: str | None, pruned: bool
) -> None:
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA", "leave_out")
    if days:
        monkeypatch.setenv("CRM_KEEP_LOG_DAYS", days)
    database = data_dir / "crm.duckdb"
    with configured_crm(lists={"open_tasks": [*tasks(2), {"id": "x", "mood": "low"}, {"id": 9, "mood": ""}]}) as c:
        materialize("accounts")
        materialize("open_tasks")
        [first] = stored(database)["sync_log"]
        [other] = stored(database, "accounts")["sync_log"]
        c.lists["open_tasks"] = [{}]
        materialize("open_tasks")
        set_back(database, 3, first, other)
        before = stored(database)
        c.lists["open_tasks"] = tasks(3)
        materialize("open_tasks")

    had = {table for table, loads in before.items() if first in loads}
    assert had == {*LOG_TABLES} - {"unconfirmed_reads"}
    assert {table for table, loads in stored(database).items() if first in loads} == (set() if pruned else had)
    assert stored(database, "accounts")["sync_details"] == [other]
    assert rows("select id from present.open_tasks order by id") == [(1,), (2,), (3,)]


@pytest.mark.long
@given(READS)
def test_pruning_changes_no_later_read(crm: RawTables, reads: Sequence[tuple[ReadMode, bool, int]]) -> None:
    for table in LOG_TABLES:
        crm.connection.execute(f"delete from raw.{table}")
    began = NOW - timedelta(sum(days for *_, days in reads))
    for number, (mode, complete, days) in enumerate(reads):
        began += timedelta(days)
        report = ReadReport("accounts", mode, began, incomplete_because="" if complete else "the list ended early")
        log(crm, str(number), report)
    before = known(crm)

    prune_logs(crm.connection, report, 730)

    assert known(crm) == before
    kept = loads(crm, "sync_log")
    old = crm.connection.execute("select _dlt_load_id from raw.sync_log where started_at < ?", [NOW - timedelta(730)])
    assert len(old.fetchall()) <= 2
    assert kept == loads(crm, "sync_details") == loads(crm, "sync_changes")


@pytest.mark.long
@pytest.mark.parametrize(("days", "kept"), [(740, 3), (770, 1)])
def test_old_rows_of_a_lake_are_deleted_once_a_month(tmp_path: Path, days: int, kept: int) -> None:
    """Loads that run meanwhile start over."""
    with connected_with(["ducklake"], {}) as connection:
        connection.execute(f"attach 'ducklake:{tmp_path}/crm.ducklake' as lake; use lake")
        lake = RawTables(connection)
        for number, ago in enumerate((days, 735, 0)):
            report = ReadReport("accounts", started_at=NOW - timedelta(ago), incomplete_because="")
            log(lake, str(number), report)

        prune_logs(connection, report, 730)

        assert len(loads(lake, "sync_log")) == kept


def test_wrong_clock_of_a_machine_deletes_nothing(crm: RawTables) -> None:
    for table in LOG_TABLES:
        crm.connection.execute(f"delete from raw.{table}")
    log(crm, "1", ReadReport("accounts", started_at=NOW, incomplete_because=""))
    log(crm, "2", ReadReport("accounts", started_at=NOW, incomplete_because=""))
    report = ReadReport("accounts", started_at=NOW.replace(year=2999), answered_at=NOW)
    log(crm, "3", report)

    prune_logs(crm.connection, report, 730)

    assert loads(crm, "sync_log") == ["1", "2", "3"]
