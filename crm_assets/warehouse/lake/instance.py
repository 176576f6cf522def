"""The DuckDB instance of a lake, which its connections share one after another."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager

import duckdb

CATALOG = "lake"
"""The catalog name under which a lake is attached."""


class LakeInstance:
    """Is kept open for a run if allowed, since DuckDB checks the signatures of extensions in each new instance.

    The lake is attached either to read or to write, so that it has one session of PostgreSQL.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]],
        attach: Callable[[duckdb.DuckDBPyConnection, bool], None],
    ) -> None:
        """Does not connect yet.

        Args:
            connect: Opens an instance.
            attach: Attaches the lake to a connection; whether read-only.
        """
        self.keeps = False
        self._connect = connect
        self._attach = attach
        self._opened = ExitStack()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._is_read_only: bool | None = None
        self._is_in_use = False

    @contextmanager
    def connected(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with the lake attached. One within another has an instance for itself."""
        if self._is_in_use:
            with self._connect() as connection:
                self._attach(connection, read_only)
                yield connection
            return
        self._is_in_use = True
        try:
            with closing(self._attached(read_only=read_only).cursor()) as connection:
                yield connection
        except BaseException:
            self.close()  # after any error the next connection is that of a new instance
            raise
        finally:
            self._is_in_use = False
            if not self.keeps:
                self.close()

    def close(self) -> None:
        """Closes the instance."""
        self._connection, self._is_read_only = None, None
        self._opened.close()

    def _attached(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self._connection = self._opened.enter_context(self._connect())
        if self._is_read_only is not read_only:
            if self._is_read_only is not None:
                self._connection.execute(f"detach {CATALOG}")
            self._attach(self._connection, read_only)
            self._is_read_only = read_only
        return self._connection
