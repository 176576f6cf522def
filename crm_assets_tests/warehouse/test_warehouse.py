"""One writer at a time, a bounded wait that says for whom, and a connection that never stays open."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path

import duckdb
import pytest

from crm_assets.warehouse.lock import WarehouseBusy
from crm_assets.warehouse.warehouse import Warehouse

HOLD_OUR_LOCK = """
import sys, time
from pathlib import Path
from crm_assets.warehouse.lock import writer_lock
with writer_lock(Path(sys.argv[1]), 5, print):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
HOLD_AT_ONCE = """
import sys
from crm_assets.warehouse.warehouse import Warehouse
with Warehouse(database=sys.argv[1], lock_wait=0).get_connection():
    pass
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


def test_a_transaction_under_way_when_the_body_raises_is_undone(database: Path) -> None:
    with pytest.raises(ZeroDivisionError), Warehouse(database=str(database)).get_connection() as connection:  # noqa: PT012
        connection.execute("begin")
        connection.execute("delete from t")
        _ = 1 / 0
    with Warehouse(database=str(database)).get_connection(read_only=True) as connection:
        assert connection.execute("select i from t").fetchall() == [(1,)]


def test_a_read_only_connection_cannot_write(database: Path) -> None:
    with Warehouse(database=str(database)).get_connection(read_only=True) as connection:
        assert connection.execute("select i from t").fetchall() == [(1,)]
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            connection.execute("insert into t values (2)")


@pytest.mark.parametrize(
    "connect",
    [lambda warehouse: warehouse.get_connection(read_only=True), lambda warehouse: warehouse.look()],
    ids=["read-only", "a-look"],
)
def test_reading_what_is_not_there_says_what_to_do_and_makes_no_file(
    tmp_path: Path, connect: Callable[[Warehouse], AbstractContextManager[duckdb.DuckDBPyConnection]]
) -> None:
    path = tmp_path / "data" / "crm.duckdb"
    with pytest.raises(FileNotFoundError, match="materialize"), connect(Warehouse(database=str(path))):
        pass
    assert not path.exists()


def test_instants_are_shown_in_utc(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    with Warehouse(database=str(database)).get_connection() as connection:
        shown = connection.execute("select '2026-01-01T00:00:00-05:00'::timestamptz::varchar").fetchall()
    monkeypatch.undo()
    time.tzset()
    assert shown == [("2026-01-01 05:00:00+00",)]


@pytest.mark.parametrize("code", [HOLD_OUR_LOCK, READ_FROM_OUTSIDE], ids=["another-run", "a-notebook"])
def test_a_process_that_has_the_database_is_waited_for(database: Path, code: str, told: list[str]) -> None:
    with held(code, database, 1) as process:
        write(database, lock_wait=30)
        assert any(str(process.pid) in message for message in told), told
    with Warehouse(database=str(database)).get_connection(read_only=True) as connection:
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


def test_a_killed_process_leaves_nothing_to_wait_for(database: Path) -> None:
    with held(HOLD_OUR_LOCK, database, 60) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
        write(database, lock_wait=0)


def test_threads_take_turns(database: Path) -> None:
    failures: list[BaseException] = []

    def count_up() -> None:
        try:
            for _ in range(5):
                with Warehouse(database=str(database), lock_wait=30).get_connection() as connection:
                    [[i]] = connection.execute("select i from t").fetchall()
                    connection.execute("update t set i = ?", [i + 1])
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with Warehouse(database=str(database)).get_connection(read_only=True) as connection:
        assert connection.execute("select i from t").fetchall() == [(21,)]


def test_a_look_does_not_wait_for_another_threads_turn_and_sees_what_was_committed(database: Path) -> None:
    warehouse = Warehouse(database=str(database), lock_wait=0)
    with warehouse.get_connection() as connection:
        connection.execute("begin")
        connection.execute("insert into t values (2)")
        with warehouse.look() as beside:
            assert beside.execute("select i from t").fetchall() == [(1,)]
        connection.execute("commit")
        with warehouse.look() as beside:
            assert beside.execute("select count(*) from t").fetchall() == [(2,)]


def test_a_look_that_outlasts_the_turn_keeps_other_processes_waiting(database: Path) -> None:
    command = [sys.executable, "-c", HOLD_AT_ONCE, str(database)]
    warehouse = Warehouse(database=str(database), lock_wait=30)
    with warehouse.look() as beside:
        with warehouse.get_connection() as connection:
            connection.execute("insert into t values (2)")
        assert subprocess.run(command, check=False, capture_output=True).returncode != 0
        assert beside.execute("select count(*) from t").fetchall() == [(2,)]
    subprocess.run(command, check=True)


@pytest.mark.parametrize("connect", ["get_connection", "look"])
def test_a_thread_that_is_interrupted_while_it_waits_leaves_nothing_to_wait_for(database: Path, connect: str) -> None:
    """The interrupt comes to it at the very line that acquires what another thread gives back."""
    warehouse = Warehouse(database=str(database), lock_wait=5)
    for _ in range(20):
        threads: list[threading.Thread] = []

        def wait() -> None:
            with suppress(KeyboardInterrupt), getattr(warehouse, connect)():
                time.sleep(0.01)

        with warehouse.get_connection():
            threads = [threading.Thread(target=wait) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                interrupted = ctypes.c_ulong(thread.ident or 0)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(interrupted, ctypes.py_object(KeyboardInterrupt))
        for thread in threads:
            thread.join()
    write(database, lock_wait=0)
    subprocess.run([sys.executable, "-c", HOLD_AT_ONCE, str(database)], check=True)


def test_a_look_waits_for_another_process(database: Path, told: list[str]) -> None:
    with held(HOLD_OUR_LOCK, database, 1) as process:
        with Warehouse(database=str(database), lock_wait=30).look() as connection:
            assert connection.execute("select i from t").fetchall() == [(1,)]
        assert any(str(process.pid) in message for message in told), told


def test_a_look_and_a_reading_turn_bear_each_other(database: Path) -> None:
    """DuckDB refuses connections of one process that are configured differently, as long as one of them is open."""
    warehouse = Warehouse(database=str(database), lock_wait=30)
    counted: list[int] = []

    def count(connect: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]) -> None:
        for _ in range(10):
            with connect() as connection:
                counted.extend(row[0] for row in connection.execute("select i from t").fetchall())

    connects = [warehouse.look, partial(warehouse.get_connection, read_only=True)]
    threads = [threading.Thread(target=count, args=[connect]) for connect in connects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted == [1] * 20


@pytest.mark.parametrize("configured", [False, True], ids=["sandbox", "a-crm"])
def test_generated_records_have_a_file_of_their_own(
    configured: bool, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if configured:
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", "https://crm.example")
        monkeypatch.setenv("SOURCES__CRM__API_KEY", "key")
    with Warehouse().get_connection() as connection:
        connection.execute("create table t (i integer)")
    assert [path.name for path in data_dir.glob("*.duckdb")] == ["crm.duckdb" if configured else "sandbox.duckdb"]


def test_a_file_that_is_no_database_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "crm.duckdb"
    path.write_text("not a database" * 1000, encoding="utf-8")
    started = time.monotonic()
    with pytest.raises(duckdb.IOException), Warehouse(database=str(path), lock_wait=30).get_connection():
        pass
    assert time.monotonic() - started < 10
    assert path.read_text(encoding="utf-8").startswith("not a database")
