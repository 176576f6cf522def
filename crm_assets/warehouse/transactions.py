"""Transactions that are made again when another's commit came in between."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import duckdb
import tenacity

from crm_assets.warehouse.duckdb_messages import is_conflict

T = TypeVar("T")

ATTEMPTS = 20
"""More than as many writers as ever meet. A file has one writer at a time, and needs no second attempt."""


def committed(connection: duckdb.DuckDBPyConnection, body: Callable[[], T]) -> T:
    """Runs the body in a transaction: all of it or nothing; from the start if it conflicts with another's.

    Args:
        connection: Without a transaction under way.
        body: May run several times.

    Returns:
        What the body returned.

    Raises:
        duckdb.TransactionException: It conflicted each time.
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
        connection.execute("commit")
    except BaseException:
        # A broken connection cannot roll back and need not. The first error is the one to report.
        with suppress(duckdb.Error):
            connection.execute("rollback")
        raise
    return result
