"""Clocks that are or were wrong: tables are the same as with right ones."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from crm_assets.source.http import limits
from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.data_dirs import connected
from crm_assets_tests.scripted_crm import Seen, configured_crm, tasks

pytestmark = pytest.mark.slow

STORED_IDS = ("open_tasks", "sync_log", "sync_details", "sync_changes")

DAY = 86400


def shown() -> list[Any]:
    """The tasks that staging models see."""
    return rows("select id, title from present.open_tasks order by id")


def as_listed(records: Sequence[Mapping[str, Any]]) -> list[Any]:
    return sorted((record["id"], record["title"]) for record in records)


def as_of_earlier_release(load_id: str, ahead: timedelta) -> None:
    """Makes the one read of a database that of a release whose load ids were times of the clock."""
    with connected(read_only=False) as connection:
        for table in STORED_IDS:
            connection.execute(f"update raw.{table} set _dlt_load_id = ?", [load_id])
        connection.execute("update raw.sync_changes set version = ?", [load_id])
        connection.execute("update raw.sync_log set started_at = started_at + ?", [ahead])
        connection.execute("drop table raw.load_counter; alter table raw.sync_details drop column answered_at")


@pytest.mark.long
@pytest.mark.parametrize("load_id", ["1764418512.1234567", "2080000000.1", "999999999.25"])
def test_load_ids_are_above_those_of_any_clock(load_id: str) -> None:
    with configured_crm(lists={"open_tasks": tasks(30)}) as crm:
        materialize("open_tasks")
        as_of_earlier_release(load_id, timedelta(days=2))
        crm.lists["open_tasks"] = [*tasks(20, first=5)[1:], {"id": 5, "title": "changed"}, *tasks(3, first=40)]
        run = materialize("open_tasks")

        assert shown() == as_listed(crm.lists["open_tasks"])
    assert [run.metadata("open_tasks")[f"crm/rows_{what}"] for what in ("new", "changed", "vanished")] == [3, 1, 10]
    ids = rows("select _dlt_load_id from raw.sync_log order by _dlt_load_id")
    assert ids[0] == (load_id,)


@pytest.mark.long
def test_load_ids_increase_with_the_beginning_of_reads() -> None:
    with configured_crm(lists={"open_tasks": tasks(3), "accounts": tasks(3)}):
        materialize("open_tasks", "accounts")
        materialize("open_tasks")
    ids = rows("select _dlt_load_id from raw.sync_log order by started_at")
    assert ids == sorted(set(ids))
    assert len({len(load_id) for (load_id,) in ids}) == 1


@pytest.mark.long
@pytest.mark.parametrize("ahead", [timedelta(hours=-1), timedelta(days=2)], ids=str)
def test_change_during_a_read_is_found_later(monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
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
        with connected(read_only=False) as connection:
            connection.execute("update raw.sync_log set started_at = started_at + ?", [ahead])
        run = materialize("accounts", mode="incremental")

        assert run.metadata("accounts")["crm/mode"] == "incremental"
        assert rows("select name from raw.accounts where id = 1") == [("changed",)]


@pytest.mark.file  # a lake has a ledger of its own
def test_requests_in_the_future_do_not_use_up_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    with configured_crm(lists={"open_tasks": tasks(30)}):
        materialize("open_tasks")
        with connected(read_only=False) as connection:
            connection.execute("update raw.sync_log set started_at = now() + interval 2 days, requests = 100")
        limits._limits.cache_clear()  # as in another process, where nothing was sent yet
        monkeypatch.setenv("SOURCES__CRM__REQUESTS_PER_HOUR", "100")
        assert materialize("open_tasks").metadata("open_tasks")["crm/seconds_waiting"] < 1
