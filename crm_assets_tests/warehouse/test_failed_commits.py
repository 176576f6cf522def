"""After a failed commit, nothing goes on in the same DuckDB instance, and every value is as it was sent."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from typing import cast
from unittest.mock import Mock

import duckdb
import pytest
from dagster import build_init_resource_context

from crm_assets.warehouse.transactions import Reconnecting, committed, reading
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import rows
from crm_assets_tests.data_dirs import connected

MARKED = "select count(*) from duckdb_databases() where database_name = 'marker'"


def written(data_dir: Path) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """A connection to the warehouse, for writing."""
    data_dir.mkdir(exist_ok=True)
    return connected(read_only=False)


def mark(connection: duckdb.DuckDBPyConnection) -> None:
    """Marks the instance: another one does not have this database."""
    connection.execute("attach ':memory:' as marker")


def is_marked(connection: duckdb.DuckDBPyConnection) -> bool:
    return connection.execute(MARKED).fetchall() == [(1,)]


def run_out_of_memory(connection: duckdb.DuckDBPyConnection) -> None:
    """Writes more than the commit has memory for."""
    connection.execute("create or replace table t as select repeat('A', 60_000_000) as text")
    connection.execute("set memory_limit = '1MiB'")


def go_wrong(_: duckdb.DuckDBPyConnection) -> None:
    raise ZeroDivisionError


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "error"), [(run_out_of_memory, duckdb.TransactionException), (go_wrong, ZeroDivisionError)]
)
def test_failed_transaction_is_followed_by_a_new_instance(
    data_dir: Path, body: Callable[[duckdb.DuckDBPyConnection], None], error: type[Exception]
) -> None:
    with written(data_dir) as connection:
        mark(connection)
        with pytest.raises(error):
            committed(connection, lambda: body(connection))
        assert not is_marked(connection)
        committed(connection, lambda: connection.execute("create table u as select 1 as i"))
    assert rows("from u") == [(1,)]


def test_retried_transaction_runs_in_a_new_instance(data_dir: Path) -> None:
    marked = []

    def body() -> None:
        marked.append(is_marked(connection))
        connection.execute("create table t as select 1 as i")
        if len(marked) == 1:
            raise duckdb.TransactionException("Transaction conflict")

    with written(data_dir) as connection:
        mark(connection)
        committed(connection, body)
    assert marked == [True, False]
    assert rows("from t") == [(1,)]


def test_fatal_error_while_reading_is_followed_by_a_new_instance() -> None:
    refused = Mock(**{"rollback.side_effect": duckdb.FatalException})
    instances = iter([cast("duckdb.DuckDBPyConnection", refused), duckdb.connect()])
    with Reconnecting(lambda: closing(next(instances))) as connection:
        with reading(connection):
            pass
        assert connection.execute("select 1").fetchall() == [(1,)]


def test_new_instance_has_the_session_s_variables(data_dir: Path) -> None:
    with written(data_dir) as connection:
        connection.execute("set variable kept = 'north'")
        with pytest.raises(ZeroDivisionError):
            committed(connection, lambda: go_wrong(connection))
        assert connection.execute("select getvariable('kept')").fetchall() == [("north",)]
        assert connection.execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]


@pytest.mark.slow
@pytest.mark.usefixtures("lake")
def test_failed_transaction_closes_connections_of_a_lake() -> None:
    with Warehouse().yield_for_execution(build_init_resource_context()) as warehouse:
        with warehouse.get_connection(tables=["t"]) as connection:
            mark(connection)
        with warehouse.get_connection(tables=["t"]) as connection:
            assert is_marked(connection)
            with suppress(ZeroDivisionError):
                committed(connection, lambda: go_wrong(connection))
        with warehouse.get_connection(tables=["t"]) as connection:
            assert not is_marked(connection)
