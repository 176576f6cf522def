"""Transactions that are retried after a conflict, each time in a new DuckDB instance; notes which were committed.

After a commit that failed, DuckDB 1.5 can mix up texts of the next transaction on the same instance, and after a fatal
error it refuses everything (docs/decisions.md). A new instance has neither problem.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar, cast

import duckdb
import tenacity

from crm_assets.errors import CommitUnconfirmed, CrmAssetsError
from crm_assets.warehouse.duckdb_messages import is_conflict
from crm_assets.warehouse.lake.commit import Guard, guarded
from crm_assets.warehouse.tables import identifier, literal

VARIABLES = "select name, value, type from system.main.duckdb_variables()"
"""With its whole name, a function is not looked for in a lake's catalog, which takes a transaction."""


class Reconnecting:
    """A DuckDB connection that opens a new instance after `discard`. Passes everything else on to the current one.

    A new instance has the session's variables. It has no temporary tables, and no databases that were attached.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]],
        guard: Guard | None = None,
        kind: str = "",
    ) -> None:
        """Does not connect yet.

        Args:
            connect: Opens a connection. Its context manager closes the connection, and after an error also whatever
                else keeps the instance open.
            guard: What guards its commits.
            kind: The kind of its default catalog, for `kind_of_catalog`; empty if that has to ask.
        """
        self.guard = guard
        self.kind = kind
        self.existing: dict[str, str] | None = None
        self._connect = connect
        self._opened = ExitStack()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._variables: Sequence[tuple[str, str, str]] = ()
        self._is_closed = False

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        """Connects."""
        self._current()
        return cast("duckdb.DuckDBPyConnection", self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the connection for good."""
        if error is not None and self._connection is not None:
            self._connection.interrupt()  # closing waits for the threads of an interrupted statement, which go on
        self._connection, self._is_closed = None, True
        self._opened.__exit__(kind, error, traceback)

    def __getattr__(self, name: str) -> Any:
        """An attribute of the current connection."""
        return getattr(self._current(), name)

    def begin(self) -> None:
        """Begins a transaction. If it fails, the next instance gets the variables that the session has now."""
        connection = self._current()
        self._variables = connection.execute(VARIABLES).fetchall()
        connection.begin()

    def discard(self, error: BaseException) -> None:
        """Closes the instance after an error, without a commit. The next use opens a new one."""
        self._connection = None
        with suppress(duckdb.Error):  # the first error is reported
            self._opened.__exit__(type(error), error, error.__traceback__)

    def _current(self) -> duckdb.DuckDBPyConnection:
        if self._is_closed:
            raise duckdb.ConnectionException("This connection is closed")
        if self._connection is None:
            self._connection = self._opened.enter_context(self._connect())
            for name, value, type_ in self._variables:
                self._connection.execute(f"set variable {identifier(name)} = {literal(value)}::{type_}")
        return self._connection


@contextmanager
def reading(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Shows the statements of the body one state of the tables, in a transaction that is rolled back at the end.

    Before a statement outside a transaction, DuckLake asks the catalog for the newest snapshot, and again for all that
    it knows about the tables.

    Args:
        connection: A connection without an open transaction. The body must change nothing.
    """
    with rolled_back(connection), tables_known(connection):
        yield


@contextmanager
def rolled_back(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Runs the body in a transaction that is rolled back at the end."""
    connection.execute("begin transaction")
    try:
        yield
    finally:
        try:
            connection.rollback()
        except duckdb.FatalException as error:  # an internal error, after which the instance refuses everything
            if isinstance(connection, Reconnecting):
                connection.discard(error)
        except duckdb.Error:  # an error may have ended the transaction, and is reported itself
            pass


@contextmanager
def tables_known(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Asks only once which tables exist. The body must create and drop none."""
    if not isinstance(connection, Reconnecting):
        yield
        return
    connection.existing = {}
    try:
        yield
    finally:
        connection.existing = None


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


def commits_so_far() -> Commits:
    """The commits of the innermost `commits_noted` around the caller; none outside of it."""
    return _noted.get() or Commits()


@contextmanager
def committing() -> Iterator[None]:
    """Notes whether the commit in the body succeeded."""
    commits = commits_so_far()
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
            connection.interrupt()  # as in __exit__ above: a rollback waits as well
            # Also of a broken connection: DuckDB ends the process if it is closed within a transaction of a lake whose
            # session of PostgreSQL has ended. The first error is reported.
            with suppress(duckdb.Error):
                connection.rollback()
            if isinstance(connection, Reconnecting):
                connection.discard(error)
            raise
    return result
