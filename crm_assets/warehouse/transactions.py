"""Transactions that are retried after a conflict with another one, each time in a new DuckDB instance."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import duckdb
import tenacity

from crm_assets.warehouse.commits import committing
from crm_assets.warehouse.duckdb_messages import is_conflict
from crm_assets.warehouse.lake.commit import guarded
from crm_assets.warehouse.reconnecting import Reconnecting

T = TypeVar("T")

ATTEMPTS = 20
"""More than the number of simultaneous writers. A file has one writer at a time, and needs only one attempt."""


def committed(connection: duckdb.DuckDBPyConnection, body: Callable[[], T]) -> T:
    """Runs the body in a transaction, and again if it conflicts with another one.

    After any error the connection's instance is closed, and the next use of the connection opens a new one.

    Args:
        connection: A connection without an open transaction. Only one of a warehouse can be opened again, so on others
            there is one attempt.
        body: The function to run; it may run several times.

    Returns:
        The result of the body.

    Raises:
        duckdb.TransactionException: Every attempt conflicted.
        WarehouseUnreachable: The session that held the lock has ended. Nothing was written.
        WarehouseError: The catalog of a lake refused to commit. Nothing was written.
        CommitUnconfirmed: The catalog of a lake did not confirm the commit: all of it was written, or nothing.
    """
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_conflict),
        stop=tenacity.stop_after_attempt(ATTEMPTS if isinstance(connection, Reconnecting) else 1),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=5),
        reraise=True,
    )
    result: T = retrying(_attempt, connection, body)
    return result


def _attempt(connection: duckdb.DuckDBPyConnection, body: Callable[[], T]) -> T:
    with guarded(connection) as commit:
        connection.begin()
        try:
            result = body()
            with committing():
                commit()
        except BaseException as error:
            if isinstance(connection, Reconnecting):
                connection.discard(error)
            else:
                # A broken connection cannot roll back and need not. The first error is reported.
                with suppress(duckdb.Error):
                    connection.rollback()
            raise
    return result
