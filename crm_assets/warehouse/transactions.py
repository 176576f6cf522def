"""Transactions that are retried after a conflict with another one."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import duckdb
import tenacity

from crm_assets.warehouse.duckdb_messages import is_conflict

T = TypeVar("T")

ATTEMPTS = 20
"""More than the number of simultaneous writers. A file has one writer at a time, and needs only one attempt."""


TURN = "crm_assets_turn"
"""A DuckDB variable of connections that need a lock to write: a query that finds a row while the lock is held."""


class TurnLost(Exception):
    """The lock ended before the commit, so another process could have written."""


def committed(connection: duckdb.DuckDBPyConnection, body: Callable[[], T]) -> T:
    """Runs the body in a transaction, and again if it conflicts with another one.

    Args:
        connection: A connection without an open transaction.
        body: The function to run; it may run several times.

    Returns:
        The result of the body.

    Raises:
        duckdb.TransactionException: Every attempt conflicted.
        TurnLost: The session that held the lock has ended. Nothing was written.
    """
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_conflict),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=5),
        reraise=True,
    )
    result: T = retrying(_attempt, connection, body)
    return result


def _attempt(connection: duckdb.DuckDBPyConnection, body: Callable[[], T]) -> T:
    connection.execute("begin")
    try:
        result = body()
        _check_turn(connection)
        connection.execute("commit")
    except BaseException:
        # A broken connection cannot roll back and need not. The first error is reported.
        with suppress(duckdb.Error):
            connection.execute("rollback")
        raise
    return result


def _check_turn(connection: duckdb.DuckDBPyConnection) -> None:
    [[kept]] = connection.execute(f"select getvariable('{TURN}')").fetchall()
    if kept is not None and connection.execute(kept).fetchone() is None:
        raise TurnLost(
            "Nothing was written: the session that held the lock in the lake's catalog has ended. Run this again"
        )
