"""A lake as the warehouse: the same assets, whole states for readers anywhere, and locks of tables among writers."""

import sys
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import Any

import duckdb
import psycopg
import pytest
from dagster import build_defs_for_component

from crm_assets.components import CrmComponent
from crm_assets.console import CONSOLE
from crm_assets.errors import CrmAssetsError, NothingStored, WarehouseBusy, WarehouseUnreachable
from crm_assets.warehouse.lake import backend
from crm_assets.warehouse.lake.address import LakeAddress
from crm_assets.warehouse.lake.files import CATALOG
from crm_assets.warehouse.lake.marker import read_marker, write_marker
from crm_assets.warehouse.transactions import committed
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.lake_servers import dsn_of
from crm_assets_tests.processes import FORKED, exit_codes, started
from crm_assets_tests.scripted_crm import configured_crm, tasks
from crm_assets_tests.warehouse.statements import END_OTHERS, read, write

pytestmark = pytest.mark.slow


def hold(tables: Collection[str], is_held: Event) -> None:
    with Warehouse().get_connection(tables=tables):
        is_held.set()
        time.sleep(60)


@contextmanager
def writing_elsewhere(table: str) -> Iterator[BaseProcess]:
    """Another process that has locked a table, or, for an empty name, all."""
    is_held = FORKED.Event()
    process = started(hold, [table] if table else [], is_held)
    assert is_held.wait(60)
    yield process
    process.kill()
    process.join()


@pytest.mark.usefixtures("lake")
def test_an_incremental_read_adds_no_version_of_the_schema() -> None:
    versions = f"select max(schema_version), max(snapshot_id) from ducklake_snapshots('{CATALOG}')"
    at = "2026-01-01T00:00:00Z"
    with configured_crm(lists={"contacts": [{"id": 1, "updated_at": at}]}):
        materialize("contacts")
        [(before, first)] = read(versions)
        materialize("contacts", mode="incremental")
        [(after, last)] = read(versions)
    assert last > first
    assert after == before


@pytest.mark.usefixtures("lake")
def test_only_a_small_lake_is_used_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = "select current_setting('threads')"
    write("create table t as select 1 as i")
    assert read(threads) == [(1,)]
    monkeypatch.setattr(backend, "SMALL", 1)
    assert read(threads) == duckdb.connect().execute(threads).fetchall()


@pytest.mark.long
@pytest.mark.usefixtures("lake")
def test_generated_records_have_their_own_catalog_and_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    write("create schema raw; create table raw.t as select 1 as i")
    monkeypatch.setenv("SOURCES__CRM__BASE_URL", "https://crm.example")
    monkeypatch.setenv("SOURCES__CRM__API_KEY", "key")
    write("create schema raw; create table raw.t as select 2 as i")
    assert read("from raw.t") == [(2,)]


@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        pytest.param("raw.t", "raw.t", id="the-same-table"),
        pytest.param("", "raw.t", id="they-have-all"),
        pytest.param("raw.t", None, id="we-want-all"),
    ],
)
def test_wait_for_a_lock_names_its_holder_and_ends_with_advice(
    theirs: str, ours: str | None, messages: list[str]
) -> None:
    with writing_elsewhere(theirs) as process:
        with pytest.raises(WarehouseBusy) as raised:
            write("select 1", ours, wait=0.5)
        assert f"process {process.pid}" in str(raised.value)
        assert "run this again" in str(raised.value)
        assert any(f"process {process.pid}" in message for message in messages)


@pytest.mark.usefixtures("lake")
def test_writers_of_different_tables_do_not_wait_for_each_other() -> None:
    with writing_elsewhere("raw.t"):
        write("create table t2 as select 1 as i", "raw.t2", wait=0.5)
    assert read("from t2") == [(1,)]


@pytest.mark.usefixtures("lake")
def test_processes_create_a_lake_at_the_same_moment() -> None:
    tables = [f"t{number}" for number in range(4)]
    assert exit_codes(*[started(write, f"create table {table} as select 1 as i", table) for table in tables]) == [0] * 4
    assert read("select count(*) from duckdb_tables() where table_name similar to 't[0-3]'") == [(4,)]


@pytest.mark.usefixtures("lake")
def test_the_marker_of_a_lake_is_read_while_it_is_written() -> None:
    write("create table t as select 1 as i")
    lake = Warehouse().lake
    assert lake
    files, seen = lake.address.files, set[str]()
    with Warehouse().get_connection(tables=["raw.t"]) as writing, Warehouse().read_connection() as reading:
        id_ = read_marker(reading, files)

        def write_markers() -> None:
            for text in ["", id_] * 100:
                write_marker(writing, files, text)
                time.sleep(0.004)

        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(write_markers)
            while not done.done():
                seen.add(read_marker(reading, files))
        done.result()
    assert seen == {"", id_}


@pytest.mark.usefixtures("lake")
def test_a_killed_writer_leaves_nothing_to_wait_for() -> None:
    with writing_elsewhere("raw.t") as process:
        process.kill()
        process.join()
        write("select 1", "raw.t", wait=5)


@pytest.mark.long
@pytest.mark.usefixtures("lake")
def test_a_transaction_that_conflicts_is_made_again() -> None:
    write("create table t as select 1 as i")

    def meet(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("update t set i = i + 1")
        if len(attempts) == 0:
            write("update t set i = i + 10", "t2")
        attempts.append(1)

    attempts: list[int] = []
    with Warehouse().get_connection(tables=["t1"]) as connection:
        committed(connection, lambda: meet(connection))
    assert len(attempts) == 2
    assert read("from t") == [(12,)]


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        pytest.param("CRM_WAREHOUSE", "ducklake:postgres:host=127.0.0.1 port=1 password=hush dbname=lake", "port=1"),
        pytest.param("CRM_WAREHOUSE", "ducklake:postgres:postgresql://me:hush@127.0.0.1:1/lake", "127.0.0.1"),
        pytest.param("CRM_WAREHOUSE_FILES", "/proc/nowhere", "/proc/nowhere"),
    ],
    ids=["no-server", "no-server-at-a-url", "no-folder"],
)
def test_unreachable_lake_is_an_error_before_any_request(
    setting: str, value: str, words: str, lake: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, value)
    with configured_crm(lists={"open_tasks": tasks(3)}) as crm:
        failure = materialize("open_tasks").failure("open_tasks")
        assert crm.seen == []
    assert words in failure
    assert setting in failure
    assert "hush" not in failure
    assert lake


@pytest.mark.long
def test_a_lake_of_files_alone_can_be_tried(monkeypatch: pytest.MonkeyPatch, data_dir: Any) -> None:
    monkeypatch.setenv("CRM_WAREHOUSE", f"ducklake:{data_dir}/crm.ducklake")
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", f"{data_dir}/lake's files")
    with pytest.raises(NothingStored):
        read("select 1")
    with configured_crm(lists={"open_tasks": tasks(3)}):
        assert materialize("open_tasks").success
        assert read("select count(*) from raw.open_tasks") == [(3,)]
    assert not list(data_dir.glob("*.duckdb"))


def test_no_message_has_a_secret_of_the_files() -> None:
    files = "s3://bucket/crm?s3_secret_access_key=hush"
    messages = LakeAddress("crm.ducklake", files, "").without_secrets(f"Unable to connect at {files}: no route")
    assert "hush" not in messages
    assert "no route" in messages


def test_a_writer_that_has_lost_its_lock_commits_nothing(lake: dict[str, str]) -> None:
    write("create table t as select 1 as i")
    with Warehouse().get_connection(tables=["t"]) as connection:
        committed(connection, lambda: connection.execute("insert into t values (2)"))
        with psycopg.connect(dsn_of(lake["CRM_WAREHOUSE"])) as other:
            other.execute("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'")
        with pytest.raises(WarehouseUnreachable, match="Nothing was written"):
            committed(connection, lambda: connection.execute("insert into t values (3)"))
    assert read("from t") == [(1,), (2,)]


def lose_the_session_in_a_transaction(dsn: str) -> None:
    def insert_and_lose() -> None:
        connection.execute("insert into t values (2)")
        with psycopg.connect(dsn) as other:
            other.execute(END_OTHERS)

    with Warehouse().get_connection(tables=["t"]) as connection:
        with suppress(duckdb.Error, CrmAssetsError):
            committed(connection, insert_and_lose)
        sys.exit(3)


def test_a_process_outlives_a_lost_session_of_the_catalog(lake: dict[str, str]) -> None:
    write("create table t as select 1 as i")
    assert exit_codes(started(lose_the_session_in_a_transaction, dsn_of(lake["CRM_WAREHOUSE"]))) == [3]
    assert read("from t") == [(1,)]


def test_a_lake_is_maintained_by_a_schedule_that_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_WAREHOUSE", "ducklake:postgres:dbname=lake")
    definitions = build_defs_for_component(CrmComponent())
    keys = {key.to_user_string() for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    schedules = definitions.schedules or []
    assert "lake/maintenance" in keys
    assert [each.name for each in schedules if each.default_status.value == "RUNNING"] == ["lake_maintenance_schedule"]
    assert CONSOLE in (definitions.resolve_job_def("lake_maintenance").run_config or {})["loggers"]
