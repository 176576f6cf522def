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
from crm_assets.source.http.limits import Rate
from crm_assets.warehouse.sharing import Announce, attempts

LOCK = "select pg_advisory_lock(hashtextextended(%(key)s, 0))"
SHARE = "select pg_advisory_lock_shared(hashtextextended(%(key)s, 0))"
LOCK_IF_FREE = "select pg_try_advisory_lock(hashtextextended(%(key)s, 0))"

BACKEND = "select pg_backend_pid()"
"""PostgreSQL's process id of a session. A pooler gives connections another number."""

HOLDERS = """
select coalesce(string_agg(distinct application_name, ', '), 'another process')
from pg_locks
inner join pg_stat_activity using (pid)
where
    locktype = 'advisory' and granted and objsubid = 1 and pid <> pg_backend_pid()
    and pg_locks.database = (select oid from pg_database where datname = current_database())
    and ((classid::bigint << 32) | objid::bigint) = hashtextextended(%(key)s, 0)
"""

REQUESTS = """
create table if not exists crm_assets_requests (
    crm text not null,
    sent_at timestamp with time zone not null default clock_timestamp()
);
create index if not exists crm_assets_requests_by_time on crm_assets_requests (crm, sent_at);
"""
"""One row per request of the last two hours."""

ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended('crm_assets requests ' || %(crm)s, 0))"

UNTIL_ONE_MORE = """
select extract(epoch from sent_at - clock_timestamp()) + %(period)s
from crm_assets_requests
where crm = %(crm)s and sent_at <= clock_timestamp()
order by sent_at desc
limit 1
offset %(before)s
"""
"""Seconds until the oldest of the last `before + 1` requests is out of the period."""

SENT = "insert into crm_assets_requests (crm) values (%(crm)s)"

DELETE_OLD = """
delete from crm_assets_requests
where sent_at not between clock_timestamp() - interval '2 hours' and clock_timestamp()
"""
"""Also those in the future, of a clock that was ahead."""

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
    locks = [(SHARE, whole), *((LOCK, f"{whole} {table}") for table in sorted(tables))] if tables else [(LOCK, whole)]
    what = ", ".join(sorted(tables)) or "the lake"
    name = f"process {os.getpid()} on {socket.gethostname()}"
    since = time.monotonic()
    with closing(psycopg.connect(dsn, autocommit=True, application_name=name[:63])) as session:
        session_id = int(_value(session, BACKEND))
        if session_id != session.info.backend_pid:
            _refuse_pooler(session, session_id, dsn)
        for statement, key in locks:
            holders = partial(_value, session, HOLDERS, key)
            for seconds in attempts(f"{what}, written", holders, wait, announce, since):
                if _acquired(session, statement, key, seconds):
                    break
        yield (
            partial(_is_there, session),
            [table for table in if_free if not _value(session, LOCK_IF_FREE, f"{whole} {table}")],
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
            if _value(session, BACKEND) != session_id or _value(other, BACKEND) == session_id:
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


class RequestCount:
    """The requests to one CRM. May be used from any thread."""

    def __init__(self, session: Session, crm: str) -> None:
        """Takes its own database session, and the address that identifies the CRM."""
        self._session = session
        self._crm = crm
        self._one_thread = threading.Lock()

    def reserve(self, rates: Sequence[Rate]) -> float:
        """Counts one more request if the rates allow it now. Returns 0, or the seconds to wait before the next try."""
        with self._one_thread, self._session.transaction():
            self._session.execute(ONE_AT_A_TIME, {"crm": self._crm})
            wait = max((self._wait(rate) for rate in rates), default=0.0)
            if wait <= 0:
                self._session.execute(SENT, {"crm": self._crm})
            return max(wait, 0.0)

    def _wait(self, rate: Rate) -> float:
        parameters = {"crm": self._crm, "period": rate.whole_period, "before": rate.requests - 1}
        found = self._session.execute(UNTIL_ONE_MORE, parameters).fetchone()
        return float(found[0]) if found else 0.0


@contextmanager
def counted_requests(dsn: str, crm: str) -> Iterator[RequestCount]:
    """The count of the requests to a CRM, in a table that is created if there is none.

    Raises:
        psycopg.OperationalError: The database cannot be reached.
    """
    with psycopg.connect(dsn, autocommit=True) as session:
        with session.transaction():
            session.execute(ONE_AT_A_TIME, {"crm": ""})
            session.execute(REQUESTS)
        session.execute(DELETE_OLD)
        yield RequestCount(session, crm)
