"""Transactions that are retried after a conflict, each time in a new DuckDB instance; notes which were committed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

import duckdb
import tenacity

from crm_assets.errors import CommitUnconfirmed, CrmAssetsError
from crm_assets.warehouse.duckdb_messages import is_conflict
from crm_assets.warehouse.lake.commit import guarded
from crm_assets.warehouse.reconnecting import Reconnecting

ROLLED_BACK = (duckdb.TransactionException, duckdb.ConstraintException, duckdb.OutOfMemoryException, CrmAssetsError)
"""Errors of a commit that wrote nothing, except `CommitUnconfirmed`."""


@dataclass
class Commits:
    """Transactions since some moment.

    Attributes:
        confirmed: How many were committed.
        unconfirmed: How many failed in such a way that all of one was written, or nothing.
    """

    confirmed: int = 0
    unconfirmed: int = 0

    @property
    def outcome(self) -> str:
        """A sentence without a full stop: whether tables have changed."""
        if self.confirmed:
            return "The tables had been updated before"
        return "All of it was written, or nothing" if self.unconfirmed else "The tables have not changed"


_noted: ContextVar[Commits | None] = ContextVar("commits", default=None)


@contextmanager
def commits_noted() -> Iterator[Commits]:
    """Notes the commits of the body."""
    outer, commits = _noted.get(), Commits()
    _noted.set(commits)
    try:
        yield commits
    finally:
        _noted.set(outer)


@contextmanager
def committing() -> Iterator[None]:
    """Notes whether the commit in the body succeeded."""
    commits = _noted.get() or Commits()
    try:
        yield
    except BaseException as error:
        if isinstance(error, CommitUnconfirmed) or not isinstance(error, ROLLED_BACK):
            commits.unconfirmed += 1
        raise
    commits.confirmed += 1


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
