"""A run keeps a file open from one model to the next, but for no longer than others may wait."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from dagster import build_init_resource_context

from crm_assets.errors import WarehouseBusy
from crm_assets.warehouse import duckdb_file
from crm_assets.warehouse.sharing import KeptOpen
from crm_assets.warehouse.warehouse import Warehouse


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with one empty table."""
    path = tmp_path / "crm.duckdb"
    with Warehouse(database=str(path)).get_connection() as connection:
        connection.execute("create table t (i int)")
    return path


@pytest.fixture
def in_a_run(database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """The warehouse as a run has it; what it keeps open stays so for a minute."""
    monkeypatch.setattr(duckdb_file, "KEPT_SECONDS", 60)
    with Warehouse(database=str(database)).yield_for_execution(build_init_resource_context()) as warehouse:
        yield warehouse


def is_free(database: Path) -> bool:
    try:
        with Warehouse(database=str(database), lock_wait=0).read_connection():
            return True
    except WarehouseBusy:
        return False


def add(warehouse: Warehouse, row: int) -> None:
    with warehouse.get_connection(keep=True) as connection:
        connection.execute("insert into t values (?)", [row])


def test_a_run_keeps_a_file_open_for_the_next_model(in_a_run: Warehouse, database: Path) -> None:
    with in_a_run.get_connection(keep=True) as first:
        assert not is_free(database)
    assert not is_free(database)
    with in_a_run.get_connection(keep=True) as second:
        assert second is first


def test_others_get_a_file_that_was_kept_for_its_time(
    in_a_run: Warehouse, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_file, "KEPT_SECONDS", 0.05)
    add(in_a_run, 1)
    with Warehouse(database=str(database), lock_wait=30).get_connection() as connection:
        assert connection.execute("from t").fetchall() == [(1,)]


def test_a_file_is_closed_after_an_error(in_a_run: Warehouse, database: Path) -> None:
    add(in_a_run, 1)
    with pytest.raises(duckdb.Error, match="missing"), in_a_run.get_connection(keep=True) as connection:
        connection.execute("from missing")
    assert is_free(database)


def test_a_file_is_closed_at_the_end_of_a_run(database: Path) -> None:
    with Warehouse(database=str(database)).yield_for_execution(build_init_resource_context()) as warehouse:
        add(warehouse, 1)
    assert is_free(database)
    assert not database.with_name("crm.duckdb.wal").exists()


def test_a_file_is_not_kept_without_a_run(database: Path) -> None:
    add(Warehouse(database=str(database)), 1)
    assert is_free(database)


@pytest.mark.parametrize("read_only", [True, False], ids=["read", "write"])
def test_other_connections_of_a_run_do_not_keep_a_file(in_a_run: Warehouse, database: Path, *, read_only: bool) -> None:
    add(in_a_run, 1)
    with in_a_run.get_connection(read_only=read_only) as connection:
        assert connection.execute("from t").fetchall() == [(1,)]
    assert is_free(database)


def test_a_published_copy_has_what_a_kept_file_was_given(in_a_run: Warehouse) -> None:
    add(in_a_run, 1)
    with duckdb.connect(in_a_run.publish().where, read_only=True) as copy:
        assert copy.execute("from t").fetchall() == [(1,)]


def test_a_state_is_remembered_while_a_file_is_kept(in_a_run: Warehouse) -> None:
    with in_a_run.get_connection(keep=True) as connection:
        connection.execute("insert into t values (1)")
        in_a_run.remember(in_a_run.stamp, "one row")
    with in_a_run.get_connection(keep=True):
        assert in_a_run.remembered(in_a_run.stamp) == "one row"


def test_a_state_is_forgotten_if_others_could_write(in_a_run: Warehouse, database: Path) -> None:
    with in_a_run.get_connection(keep=True) as connection:
        connection.execute("insert into t values (1)")
        in_a_run.remember(in_a_run.stamp, "one row")
    with in_a_run.read_connection():
        pass
    add(Warehouse(database=str(database)), 2)
    assert in_a_run.remembered(in_a_run.stamp) is None
    with in_a_run.get_connection(keep=True):
        assert in_a_run.remembered(in_a_run.stamp) is None


def test_what_is_in_use_is_closed_at_the_end_of_its_use() -> None:
    closed = threading.Event()

    @contextmanager
    def opened() -> Iterator[str]:
        yield "open"
        closed.set()

    kept = KeptOpen(opened, 0.01)
    with kept.used() as value:
        assert not closed.wait(0.2)
        assert kept.value == value == "open"
    assert closed.wait(30)
    assert kept.value is None
