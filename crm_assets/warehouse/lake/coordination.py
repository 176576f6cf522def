"""What the processes of a lake share in its catalog's PostgreSQL database: locks of tables, and a count of requests.

A lock is an advisory lock. It belongs to a session, so it ends with its process, even on `kill -9`. Locks are needed
because DuckLake can miss a conflict between two writers of one table. The requests are counted together because the
processes share the CRM's rate limit.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any

import psycopg

from crm_assets.errors import WarehouseUnreachable
from crm_assets.source.http.limits import Ledger, Rate
from crm_assets.warehouse.sharing import Announce, attempts
from crm_assets.warehouse.tables import statements_of

SQL = statements_of(__file__)

Session = psycopg.Connection[tuple[Any, ...]]

UNREACHABLE = (psycopg.Error,)
"""The errors if the database cannot be reached, or refuses a statement."""


@contextmanager
def locked(  # noqa: PLR0913, PLR0917 # all are needed, and there are two callers
    dsn: str, lake: str, tables: Collection[str], if_free: Collection[str], wait: float, announce: Announce
) -> Iterator[tuple[Callable[[], bool], list[str]]]:
    """Locks some tables of a lake, or all, while the body runs.

    Yields a function that returns whether the session with the locks still is there, and the tables of `if_free` that
    another process has locked.

    Args:
        dsn: The connection string of the catalog database.
        lake: Identifies the lake within that database.
        tables: The tables; empty: all. A lock of all tables excludes every lock of a single one.
        if_free: More tables, which are locked only if no other process has locked them.
        wait: Seconds to wait for the locks.
        announce: Called with a message that names the processes that hold a lock, at once and every ten seconds.

    Raises:
        WarehouseBusy: The locks were not released in time.
        WarehouseUnreachable: The database is behind a pooler in transaction mode.
        psycopg.OperationalError: The database cannot be reached.
    """
    whole = f"crm_assets {lake}"
    # Always in the same order, to prevent deadlocks.
    single = [(SQL["lock"], f"{whole} {table}") for table in sorted(tables)]
    locks = [(SQL["share"], whole), *single] if tables else [(SQL["lock"], whole)]
    what = ", ".join(sorted(tables)) or "the lake"
    name = f"process {os.getpid()} on {socket.gethostname()}"
    since = time.monotonic()
    with closing(psycopg.connect(dsn, autocommit=True, application_name=name[:63])) as session:
        session_id = int(_value(session, SQL["backend"]))
        if session_id != session.info.backend_pid:
            _refuse_pooler(session, session_id, dsn)
        for statement, key in locks:
            holders = partial(_value, session, SQL["holders"], key)
            for seconds in attempts(f"{what}, written", holders, wait, announce, since):
                if _acquired(session, statement, key, seconds):
                    break
        yield (
            partial(_is_there, session),
            [table for table in if_free if not _value(session, SQL["lock_if_free"], f"{whole} {table}")],
        )


def _is_there(session: Session) -> bool:
    with suppress(psycopg.OperationalError):
        return session.execute("select 1").rowcount == 1
    return False


def _value(session: Session, query: str, key: str = "") -> Any:
    [[value]] = session.execute(query, {"key": key}).fetchall()
    return value


def _refuse_pooler(session: Session, session_id: int, dsn: str) -> None:
    """Refuses a pooler that lends the session of an idle connection to another one, in whichever order it has them."""
    with closing(psycopg.connect(dsn, autocommit=True)) as other:
        for _ in range(4):  # after five times, psycopg prepares a statement: in another session it does not exist
            if _value(session, SQL["backend"]) != session_id or _value(other, SQL["backend"]) == session_id:
                raise WarehouseUnreachable(
                    "CRM_WAREHOUSE leads to a connection pooler in transaction mode, such as PgBouncer, which loses "
                    "locks. Connect to PostgreSQL itself, or use the pooler's session mode. Nothing was written"
                )


def _acquired(session: Session, statement: str, key: str, patience: float) -> bool:
    session.execute("select set_config('lock_timeout', %s, false)", [f"{max(1, int(patience * 1000))}ms"])
    try:
        session.execute(statement, {"key": key})
    except psycopg.errors.LockNotAvailable:
        return False
    return True


@contextmanager
def counted_requests(dsn: str, crm: str) -> Iterator[Ledger]:
    """The count of the requests to a CRM, in a table that is created if there is none. Any thread may use it.

    Raises:
        psycopg.OperationalError: The database cannot be reached.
    """
    one_thread = threading.Lock()

    def reserve(rates: Sequence[Rate]) -> float:
        waits = [0.0]
        with one_thread, session.transaction():
            session.execute(SQL["one_at_a_time"], {"crm": crm})
            for rate in rates:
                parameters = {"crm": crm, "period": rate.whole_period, "before": rate.requests - 1}
                waits += [float(wait) for (wait,) in session.execute(SQL["until_one_more"], parameters).fetchall()]
            if max(waits) <= 0:
                session.execute(SQL["sent"], {"crm": crm})
        return max(waits)

    with psycopg.connect(dsn, autocommit=True) as session:
        with session.transaction():
            session.execute(SQL["one_at_a_time"], {"crm": ""})
            session.execute(SQL["requests"])
        session.execute(SQL["delete_old"])
        yield reserve
