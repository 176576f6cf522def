"""One writer at a time, a bounded wait that says for whom, and a connection that never stays open."""

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from dagster import build_init_resource_context

from crm_assets.errors import NothingStored, WarehouseBusy
from crm_assets.warehouse import duckdb_file
from crm_assets.warehouse.tables import existing_tables
from crm_assets.warehouse.transactions import reading
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.processes import completed
from crm_assets_tests.warehouse import statements

HOLD_OUR_LOCK = """
import sys, time
from pathlib import Path
from crm_assets.warehouse.sharing import writer_lock
with writer_lock(Path(sys.argv[1]), 5, print):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
READ_FROM_OUTSIDE = """
import sys, time
import duckdb
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with one table of one row."""
    path = tmp_path / "data" / "crm.duckdb"
    with Warehouse(database=str(path)).get_connection() as connection:
        connection.execute("create table t as select 1 as i")
    return path


@contextmanager
def held(code: str, database: Path, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the database for so long."""
    command = [sys.executable, "-c", code, str(database), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def write(database: Path, lock_wait: float) -> None:
    with Warehouse(database=str(database), lock_wait=lock_wait).get_connection() as connection:
        connection.execute("insert into t values (2)")


def test_a_connection_is_closed_when_the_body_raises(database: Path) -> None:
    with pytest.raises(ZeroDivisionError), Warehouse(database=str(database)).get_connection() as connection:  # noqa: PT012
        connection.execute("insert into t values (2)")
        _ = 1 / 0
    with pytest.raises(duckdb.ConnectionException, match="closed"):
        connection.execute("select 1")
    # DuckDB refuses this as long as the process has the file open for writing.
    with duckdb.connect(str(database), read_only=True) as reader:
        assert reader.execute("select count(*) from t").fetchall() == [(2,)]
    write(database, lock_wait=0)


@pytest.mark.usefixtures("warehouse")
def test_a_transaction_under_way_when_the_body_raises_is_undone() -> None:
    statements.write("create table t as select 1 as i")
    with pytest.raises(ZeroDivisionError), Warehouse().get_connection() as connection:  # noqa: PT012
        connection.execute("begin; delete from t")
        _ = 1 / 0
    assert statements.read("from t") == [(1,)]


@pytest.mark.usefixtures("warehouse")
def test_a_read_only_connection_cannot_write() -> None:
    statements.write("create table t as select 1 as i")
    with pytest.raises(duckdb.InvalidInputException, match="read-only"):
        statements.read("insert into t values (2)")


@pytest.mark.usefixtures("warehouse")
def test_reading_an_empty_warehouse_says_what_to_do_and_creates_none(data_dir: Path) -> None:
    with pytest.raises(NothingStored, match="materialize the raw assets first"):
        statements.read("select 1")
    assert not [*data_dir.glob("*.duckdb")]


@pytest.mark.usefixtures("warehouse")
def test_tables_are_those_of_the_information_schema() -> None:
    statements.write('create schema raw; create table raw."odd name" (i int); create table raw.gone (i int)')
    statements.write('create view raw.broken as from raw.gone; create view raw.shown as from raw."odd name"')
    statements.write("drop table raw.gone; create temp table temporary (i int)")
    with Warehouse().get_connection() as connection:
        connection.begin()
        connection.execute("create table raw.new (i int)")
        found = connection.execute(
            "select table_schema || '.' || table_name, if(table_type = 'VIEW', 'view', 'table') "
            "from information_schema.tables where table_catalog = current_database()"
        ).fetchall()
        assert existing_tables(connection) == dict(found)
        assert existing_tables(connection)["raw.broken"] == "view"
        connection.rollback()


@pytest.mark.usefixtures("warehouse")
def test_reading_changes_nothing() -> None:
    statements.write("create table t as select 1 as i")
    with Warehouse().get_connection() as connection:
        with reading(connection):
            connection.execute("insert into t values (2)")
        with pytest.raises(ZeroDivisionError), reading(connection):
            _ = 1 / 0
        assert connection.execute("from t").fetchall() == [(1,)]


@pytest.mark.usefixtures("warehouse")
def test_which_tables_exist_is_asked_once_while_reading() -> None:
    statements.write("create table t (i int)")
    with Warehouse().get_connection() as connection:
        with reading(connection):
            assert existing_tables(connection) is existing_tables(connection)
        connection.execute("create table u (i int)")
        assert existing_tables(connection).keys() == {"main.t", "main.u"}


def test_instants_are_shown_in_utc(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    with Warehouse(database=str(database)).get_connection() as connection:
        shown = connection.execute("select '2026-01-01T00:00:00-05:00'::timestamptz::varchar").fetchall()
    monkeypatch.undo()
    time.tzset()
    assert shown == [("2026-01-01 05:00:00+00",)]


@pytest.mark.slow
@pytest.mark.parametrize("code", [HOLD_OUR_LOCK, READ_FROM_OUTSIDE], ids=["another-run", "a-notebook"])
def test_a_process_that_has_the_database_is_waited_for(database: Path, code: str, messages: list[str]) -> None:
    with held(code, database, 1) as process:
        write(database, lock_wait=30)
        assert any(str(process.pid) in message for message in messages), messages
    with Warehouse(database=str(database)).read_connection() as connection:
        assert connection.execute("select count(*) from t").fetchall() == [(2,)]


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        pytest.param(HOLD_OUR_LOCK, "Wait until it is done or stop it", id="another-run"),
        pytest.param(READ_FROM_OUTSIDE, "Close it there", id="a-notebook"),
    ],
)
def test_the_wait_ends_with_an_instruction(database: Path, code: str, advice: str) -> None:
    with held(code, database, 60) as process, pytest.raises(WarehouseBusy) as raised:
        write(database, lock_wait=0.5)
    for word in (str(database), str(process.pid), advice):
        assert word in str(raised.value)


@pytest.mark.usefixtures("lake_extensions")
def test_a_process_that_has_the_catalog_of_a_lake_is_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = data_dir / "crm.ducklake"
    monkeypatch.setenv("CRM_WAREHOUSE", f"ducklake:{catalog}")
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(data_dir))
    statements.write("create table t (i int)")
    with held(READ_FROM_OUTSIDE, catalog, 60) as process:
        assert statements.read("from t") == []
        with pytest.raises(WarehouseBusy) as raised, Warehouse(lock_wait=0.5).get_connection():
            pass
    for word in (str(catalog), str(process.pid), "Close it there"):
        assert word in str(raised.value)


def test_a_killed_process_leaves_nothing_to_wait_for(database: Path) -> None:
    with held(HOLD_OUR_LOCK, database, 60) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
        write(database, lock_wait=0)


@pytest.mark.slow
def test_an_interrupt_at_any_line_leaves_nothing_locked(database: Path) -> None:
    # In a process of its own: an interrupt within `filelock` can leave what that keeps for all threads locked.
    command = [sys.executable, "-m", "crm_assets_tests.warehouse.interrupted_locks", str(database)]
    done = completed(command)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 20


def test_a_reader_waits_for_another_process(database: Path, messages: list[str]) -> None:
    with held(HOLD_OUR_LOCK, database, 1) as process:
        with Warehouse(database=str(database), lock_wait=30).read_connection() as connection:
            assert connection.execute("select i from t").fetchall() == [(1,)]
        assert any(str(process.pid) in message for message in messages), messages


def leave_a_write_ahead_log(database: Path) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute("pragma disable_checkpoint_on_shutdown")
        connection.execute("insert into t values (2)")


def test_a_reader_sees_the_write_ahead_log_of_a_killed_process(database: Path) -> None:
    leave_a_write_ahead_log(database)
    with Warehouse(database=str(database)).read_connection() as connection:
        assert connection.execute("select i from t order by i").fetchall() == [(1,), (2,)]


@pytest.mark.usefixtures("warehouse")
def test_a_state_is_remembered_until_somebody_writes() -> None:
    statements.write("create table t (i int)")
    with Warehouse().yield_for_execution(build_init_resource_context()) as warehouse:
        stamp = warehouse.stamp
        assert warehouse.remembered(stamp) is None
        with warehouse.get_connection(tables=["t"]):
            warehouse.remember(stamp, "no row")
        with warehouse.read_connection() as connection:
            connection.execute("from t")
        assert warehouse.remembered(warehouse.stamp) == "no row"
        statements.write("insert into t values (1)", table="t")
        assert warehouse.remembered(warehouse.stamp) is None


def test_garbage_is_collected_rarely_in_a_run() -> None:
    before = gc.get_threshold()
    with Warehouse().yield_for_execution(build_init_resource_context()):
        assert gc.get_threshold() > before
    assert gc.get_threshold() == before


def test_a_state_is_not_trusted_after_a_killed_writer(database: Path) -> None:
    warehouse = Warehouse(database=str(database))
    warehouse.remember(warehouse.stamp, "one row")
    leave_a_write_ahead_log(database)
    assert warehouse.remembered(warehouse.stamp) is None


def test_a_file_that_is_no_database_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "crm.duckdb"
    path.write_text("not a database" * 1000, encoding="utf-8")
    started = time.monotonic()
    with pytest.raises(duckdb.IOException), Warehouse(database=str(path), lock_wait=30).get_connection():
        pass
    assert time.monotonic() - started < 30
    assert path.read_text(encoding="utf-8").startswith("not a database")


@pytest.mark.usefixtures("data_dir")
def test_memory_is_limited_as_the_setting_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_MEMORY_LIMIT", "3GiB")
    with Warehouse().get_connection() as connection:
        assert connection.execute("select current_setting('memory_limit')").fetchall() == [("3.0 GiB",)]


def test_only_a_small_file_is_used_with_one_thread(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def threads(**config: int) -> object:
        with Warehouse(database=str(database), connection_config=config).get_connection() as connection:
            return connection.execute("select current_setting('threads')").fetchall()

    assert threads() == [(1,)]
    assert threads(threads=3) == [(3,)]
    monkeypatch.setattr(duckdb_file, "SMALL", 1)
    assert threads() == duckdb.connect().execute("select current_setting('threads')").fetchall()
