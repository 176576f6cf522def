"""Run after run: rows are merged by id, every run is on record, and its numbers are the ones of the requests made."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from dagster import TableSchema
from starlette.responses import Response

from crm_assets_tests.assets.raw_runs import Run, configured_crm, materialize, rows, tasks
from crm_assets_tests.scripted_crm import KEY, failing

START = datetime(2026, 3, 1, tzinfo=timezone.utc)


def accounts(count: int) -> list[dict[str, Any]]:
    """Accounts with ids from 1, each changed an hour before the one in front of it."""
    return [account(id_, START - timedelta(hours=id_)) for id_ in range(1, count + 1)]


def account(id_: int, changed_at: datetime, name: str = "Account") -> dict[str, Any]:
    return {"id": id_, "name": f"{name} {id_}", "updated_at": changed_at.isoformat()}


def test_a_second_run_updates_adds_and_keeps(data_dir: Path) -> None:
    database = data_dir / "crm.duckdb"
    with configured_crm(lists={"accounts": accounts(60)}) as crm:
        first = materialize("accounts")
        changed = account(2, START + timedelta(hours=1), "Changed")
        crm.lists["accounts"] = [account(61, START), changed, *accounts(60)[2:]]
        second = materialize("accounts")
    assert first.success and second.success
    found = dict(rows(database, "select id, name from raw.accounts"))
    # Account 1 vanished from the list; the raw table keeps all.
    assert found == {id_: f"Account {id_}" for id_ in range(1, 62)} | {2: "Changed 2"}
    assert rows(database, "select count(*), count(distinct id) from raw.accounts") == [(61, 61)]
    last_seen = dict(rows(database, "select _dlt_load_id, count(*) from raw.accounts group by all"))
    loads = [first.metadata("accounts")["crm/load_id"], second.metadata("accounts")["crm/load_id"]]
    assert last_seen == {loads[0]: 1, loads[1]: 60}
    log = "select resource, mode, complete, requests, retries, rows_read, rows_in_source, _dlt_load_id from raw.sync_log"
    assert rows(database, f"{log} order by started_at") == [
        ("accounts", "full", True, 2, 0, 60, 60, loads[0]),
        ("accounts", "full", True, 2, 0, 60, 60, loads[1]),
    ]


def test_the_metadata_tell_how_it_went(data_dir: Path) -> None:
    before = datetime.now(timezone.utc)
    with configured_crm(lists={"open_tasks": tasks(130)}) as crm:
        answers = [Response("", 503), Response("", 503), Response("", 429, headers={"Retry-After": "1"})]
        crm.faults.append(failing("open_tasks", page=2, answers=answers))
        metadata = materialize("open_tasks").metadata("open_tasks")
    assert {
        "crm/mode": "full",
        "crm/complete": True,
        "crm/requests": 6,
        "crm/retries": 3,
        "crm/rows_read": 130,
        "crm/rows_in_source": 130,
        "dagster/row_count": 130,
        "dagster/table_name": "raw.open_tasks",
    }.items() <= metadata.items()
    schema = metadata["dagster/column_schema"]
    assert isinstance(schema, TableSchema)
    columns = {column.name: column for column in schema.columns}
    assert (columns["id"].type, columns["id"].constraints.nullable) == ("BIGINT", False)
    assert (columns["due_date"].type, columns["due_date"].constraints.nullable) == ("TIMESTAMP WITH TIME ZONE", True)
    assert columns["due_date"].description == "When the task is due; may change, and the list is ordered by it."
    [(started_at,)] = rows(data_dir / "crm.duckdb", "select started_at from raw.sync_log")
    assert before <= started_at.astimezone(timezone.utc) <= datetime.now(timezone.utc)


def test_where_the_api_tells_no_total_none_is_made_up(data_dir: Path) -> None:
    with configured_crm(lists={"open_tasks": tasks(50)}, with_meta=False) as crm:
        metadata = materialize("open_tasks").metadata("open_tasks")
    assert crm.pages("open_tasks") == [1, 2]
    assert "crm/rows_in_source" not in metadata
    assert metadata["crm/complete"] is True
    assert rows(data_dir / "crm.duckdb", "select rows_in_source from raw.sync_log") == [(None,)]


def test_a_read_that_falls_short_of_the_total_is_loaded_and_settles(data_dir: Path) -> None:
    """An API that counts records it does not list must not be read for ever, nor its rows be lost."""
    with configured_crm(lists={"open_tasks": tasks(70)}, total=lambda _seen, true: true + 5) as crm:
        run = materialize("open_tasks")
    assert run.success
    assert len(crm.seen) < 12
    assert run.metadata("open_tasks")["crm/rows_in_source"] == 75
    assert rows(data_dir / "crm.duckdb", "select count(*) from raw.open_tasks") == [(70,)]


def test_requests_carry_the_key_in_a_header_and_nowhere_else() -> None:
    with configured_crm(lists={"open_tasks": tasks(60)}) as crm:
        assert materialize("open_tasks").success
    for seen in crm.seen:
        assert [name for name, value in seen.headers.items() if KEY in value] == ["api_key"]
        assert seen.params == {"page": str(seen.page), "per_page": "50"}
        assert seen.headers["accept"] == "application/json"


class TestIncremental:
    """Reading only what changed."""

    @staticmethod
    def numbers(run: Run, resource: str = "accounts") -> tuple[Any, ...]:
        metadata = run.metadata(resource)
        return tuple(metadata[f"crm/{name}"] for name in ("mode", "complete", "requests", "rows_read"))

    def test_without_a_full_read_before_it_everything_is_read(self) -> None:
        with configured_crm(lists={"accounts": accounts(130)}) as crm:
            run = materialize("accounts", mode="incremental")
        assert self.numbers(run) == ("full", True, 3, 130)
        assert [seen.params.get("sort") for seen in crm.seen] == [None] * 3

    def test_it_asks_for_the_newest_first_and_stops_early(self, data_dir: Path) -> None:
        with configured_crm(lists={"accounts": accounts(400)}) as crm:
            assert materialize("accounts").success
            crm.seen.clear()
            crm.lists["accounts"][299] = account(300, START + timedelta(hours=1), "Changed")
            crm.lists["accounts"].append(account(900, START + timedelta(hours=2), "New"))
            run = materialize("accounts", mode="incremental")
        assert {(seen.params["sort"], seen.params["sort_type"]) for seen in crm.seen} == {("updated_at", "desc")}
        assert crm.pages("accounts")[:2] == [1, 2]
        assert len(crm.seen) <= 3
        assert self.numbers(run)[:2] == ("incremental", True)
        database = data_dir / "crm.duckdb"
        assert rows(database, "select id, name from raw.accounts where id in (300, 900) order by id") == [
            (300, "Changed 300"),
            (900, "New 900"),
        ]
        assert rows(database, "select count(*) from raw.accounts") == [(401,)]
        assert rows(database, "select mode, complete from raw.sync_log order by started_at") == [
            ("full", True),
            ("incremental", True),
        ]

    def test_changes_of_one_instant_over_several_pages_all_come(self, data_dir: Path) -> None:
        instant = START + timedelta(hours=1)
        with configured_crm(lists={"accounts": accounts(300)}) as crm:
            assert materialize("accounts").success
            crm.lists["accounts"][100:230] = [account(id_, instant, "Changed") for id_ in range(101, 231)]
            assert materialize("accounts", mode="incremental").success
            crm.lists["accounts"][0:60] = [account(id_, instant, "Later, at that instant") for id_ in range(1, 61)]
            assert materialize("accounts", mode="incremental").success
        changed = rows(data_dir / "crm.duckdb", "select count(*) from raw.accounts where name not like 'Account %'")
        assert changed == [(190,)]

    @pytest.mark.parametrize("resource", ["open_tasks", "accounts"])
    def test_an_api_that_does_not_sort_is_read_to_its_end(self, resource: str, data_dir: Path) -> None:
        with configured_crm(lists={resource: accounts(300)[::-1]}, sorts=frozenset()) as crm:
            assert materialize(resource).success
            crm.seen.clear()
            crm.lists[resource][250] = {"id": 50, "updated_at": (START + timedelta(hours=1)).isoformat()}
            run = materialize(resource, mode="incremental")
        assert sorted(crm.pages(resource)) == [1, 2, 3, 4, 5, 6]
        assert self.numbers(run, resource) == ("full", True, 6, 300)
        newest = rows(data_dir / "crm.duckdb", f"select max(updated_at) from raw.{resource}")[0][0]
        assert newest.astimezone(timezone.utc) == START + timedelta(hours=1)

    def test_after_an_incomplete_read_everything_is_read(self) -> None:
        with configured_crm(lists={"accounts": [*accounts(130), {"name": "without an id"}]}) as crm:
            crm.sorts = frozenset()
            assert self.numbers(materialize("accounts")) == ("full", False, 3, 131)
            assert self.numbers(materialize("accounts", mode="incremental"))[:2] == ("full", False)
            crm.lists["accounts"].pop()
            assert self.numbers(materialize("accounts", mode="incremental"))[:2] == ("full", True)
