"""Transactions that are retried after a conflict with another one, each time in a new DuckDB instance."""

from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TypeVar

import duckdb
import tenacity

from crm_assets.errors import CommitUnconfirmed, WarehouseUnreachable
from crm_assets.warehouse.commits import committing
from crm_assets.warehouse.duckdb_messages import catalog_message, is_conflict, is_out_of_memory
from crm_assets.warehouse.kept_files import files_kept
from crm_assets.warehouse.object_storage import nothing_deleted
from crm_assets.warehouse.reconnecting import Reconnecting

T = TypeVar("T")

ATTEMPTS = 20
"""More than the number of simultaneous writers. A file has one writer at a time, and needs only one attempt."""


TURN = "crm_assets_turn"
"""A DuckDB variable of connections that need a lock to write: a query that finds a row while the lock is held."""

FOLDER = "crm_assets_folder"
"""A DuckDB variable of such connections: the folder with the tables' files, if it is one."""


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
    folder = _variable(connection, FOLDER)
    with files_kept(Path(folder)) if folder else nullcontext() as keep_files:
        connection.begin()
        try:
            result = body()
            if keep_files:
                keep_files()
            with committing():
                _commit(connection)
        except BaseException as error:
            if isinstance(connection, Reconnecting):
                connection.discard(error)
            else:
                # A broken connection cannot roll back and need not. The first error is reported.
                with suppress(duckdb.Error):
                    connection.rollback()
            raise
    return result


def _commit(connection: duckdb.DuckDBPyConnection) -> None:
    lock_query = _variable(connection, TURN)
    if lock_query is None:
        connection.execute("commit")
        return
    if connection.execute(lock_query).fetchone() is None:
        raise WarehouseUnreachable(
            "Nothing was written: the session that held the lock in the lake's catalog has ended. Run this again",
            may_recover=True,
        )
    try:
        with nothing_deleted(connection):
            connection.execute("commit")
    except duckdb.Error as error:
        if is_conflict(error) or is_out_of_memory(error):
            raise
        raise CommitUnconfirmed(
            f"The lake's catalog did not confirm the commit ({catalog_message(error)}). All of it was written, or "
            "nothing. Run this again",
            may_recover=True,
        ) from None


def _variable(connection: duckdb.DuckDBPyConnection, name: str) -> str | None:
    [[value]] = connection.execute(f"select getvariable('{name}')").fetchall()
    return None if value is None else str(value)
