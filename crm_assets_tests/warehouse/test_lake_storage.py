"""Faults of a lake's object storage: those that can pass are retried, others are reported."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import duckdb
import pytest

from crm_assets.assets.failures import explain
from crm_assets.loading.load import NARROW
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.scripted_crm import configured_crm, tasks
from crm_assets_tests.warehouse.statements import read, write
from crm_assets_tests.warehouse.storage_proxy import storage_proxy

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("lake")]

MORE_THAN_DUCKDB_TRIES = 12
"""DuckDB sends a request at most eight times."""


def writes_fail(status: int, times: int | None = None) -> Callable[[str], int | None]:
    """Answers the first writes with a status, or all."""
    answered = count(1)
    return lambda method: status if method in {"PUT", "POST"} and (not times or next(answered) <= times) else None


@pytest.mark.long
def test_a_storage_that_fails_for_a_while_is_tried_again() -> None:
    with configured_crm(lists={"open_tasks": tasks(70)}):
        with storage_proxy(writes_fail(503, MORE_THAN_DUCKDB_TRIES)):
            run = materialize("open_tasks")
        assert run.success
        assert run.attempts("open_tasks") > 1
        assert read("select count(*), count(distinct id) from raw.open_tasks") == [(70, 70)]


def test_a_storage_that_refuses_is_not_tried_again_and_named() -> None:
    with configured_crm(lists={"open_tasks": tasks(70)}), storage_proxy(writes_fail(403)):
        run = materialize("open_tasks")
    assert run.attempts("open_tasks") == 1
    assert "403" in run.failure("open_tasks")
    assert "CRM_WAREHOUSE_FILES" in run.failure("open_tasks")


@pytest.mark.parametrize("status", [403, 405, 501])
def test_a_storage_that_deletes_nothing_is_not_tried_again_and_said(status: int) -> None:
    with (
        configured_crm(lists={"open_tasks": tasks(70)}),
        storage_proxy(lambda method: status if method == "DELETE" else None),
    ):
        run = materialize("open_tasks")
    assert run.attempts("open_tasks") == 1
    assert "could not be deleted" in run.failure("open_tasks")


def read_across_an_erasure() -> None:
    with Warehouse().read_connection() as reader:
        reader.begin()
        assert reader.execute("select count(*) from t").fetchall() == [(95,)]
        Warehouse().erase()
        reader.execute("select sum(i) from t").fetchall()


@pytest.mark.parametrize("is_folder", [False, True], ids=["a bucket", "a folder"])
def test_a_reader_whose_files_are_erased_tries_again(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path, *, is_folder: bool
) -> None:
    if is_folder:
        monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(data_dir / "files"))
    write("create table t as select range as i from range(100)")
    write("delete from t where i < 5")
    with pytest.raises(duckdb.Error) as raised:
        read_across_an_erasure()
    explained = explain(raised.value, "t")
    assert explained.may_recover
    assert "CRM_WAREHOUSE_FILES" in explained.message
    assert read("select count(*) from t") == [(95,)]


@pytest.mark.long
@pytest.mark.parametrize("is_older", [False, True], ids=["a new lake", "an older lake, maintained"])
def test_many_rows_are_written_in_the_memory_of_a_load(*, is_older: bool) -> None:
    warehouse = Warehouse()
    assert warehouse.lake is not None
    if is_older:
        with warehouse.get_connection() as connection:
            connection.execute("call lake.set_option('parquet_row_group_size', 122880)")
        warehouse.lake.maintain()
    columns = ", ".join(f"'column {number} of row ' || i as text_{number}" for number in range(40))
    with warehouse.get_connection() as connection:
        connection.execute(NARROW)
        connection.execute(f"create table wide as select i, {columns} from range(150_000) as rows(i)")
        assert connection.execute("select count(*) from wide").fetchall() == [(150_000,)]
