"""Connections that outlive their DuckDB instance.

After a commit that failed, DuckDB 1.5 can mix up texts of the next transaction on the same instance, and after a fatal
error it refuses everything (docs/decisions.md). A new instance has neither problem.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from types import TracebackType
from typing import Any, cast

import duckdb

from crm_assets.warehouse.names import identifier, literal


class Reconnecting:
    """A DuckDB connection that opens a new instance after `discard`. Passes everything else on to the current one.

    A new instance has the session's variables. It has no temporary tables, and no databases that were attached.
    """

    def __init__(self, connect: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]) -> None:
        """Does not connect yet.

        Args:
            connect: Opens a connection. Its context manager closes the connection, and after an error also whatever
                else keeps the instance open.
        """
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
        self._connection, self._is_closed = None, True
        self._opened.__exit__(kind, error, traceback)

    def __getattr__(self, name: str) -> Any:
        """An attribute of the current connection."""
        return getattr(self._current(), name)

    def begin(self) -> None:
        """Begins a transaction. If it fails, the next instance gets the variables that the session has now."""
        connection = self._current()
        self._variables = connection.execute("select name, value, type from duckdb_variables()").fetchall()
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
