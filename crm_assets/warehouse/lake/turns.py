"""Locks for all processes that write to one lake: advisory locks in the PostgreSQL database of its catalog.

Such a lock belongs to a session, so it ends with its process, even on `kill -9`. It is needed because DuckLake can miss
a conflict between two writers of one table.
"""

import os
import socket
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg

from crm_assets.errors import WarehouseBusy, WarehouseUnreachable
from crm_assets.warehouse.lock import FIRST_MESSAGE_AFTER, MESSAGE_EVERY, Announce

TAKE = "select pg_advisory_lock(hashtextextended(%(key)s, 0))"
SHARE = "select pg_advisory_lock_shared(hashtextextended(%(key)s, 0))"

HOLDERS = """
select string_agg(distinct application_name, ', ')
from pg_locks
inner join pg_stat_activity using (pid)
where
    locktype = 'advisory' and granted and objsubid = 1 and pid <> pg_backend_pid()
    and pg_locks.database = (select oid from pg_database where datname = current_database())
    and ((classid::bigint << 32) | objid::bigint) = hashtextextended(%(key)s, 0)
"""

KEPT_BY = """
select 1 from pg_locks
where
    locktype = 'advisory' and granted and pid = {session}
    and pg_locks.database = (select oid from pg_database where datname = current_database())
"""
"""A row for each lock that a session holds; none after it has ended."""

Session = psycopg.Connection[tuple[Any, ...]]


@contextmanager
def turn(dsn: str, lake: str, tables: Collection[str], wait: float, announce: Announce) -> Iterator[int]:
    """Locks some tables of a lake, or all, while the body runs. Yields PostgreSQL's process id of the lock's session.

    Args:
        dsn: The connection string of the catalog database.
        lake: Identifies the lake within that database.
        tables: The tables; empty: all. A lock of all tables excludes every lock of a single one.
        wait: Seconds to wait for the lock.
        announce: Called with a message that names the processes that hold the lock, at once and every ten seconds.

    Raises:
        WarehouseBusy: The locks were not released in time.
        WarehouseUnreachable: The database is behind a pooler in transaction mode.
        psycopg.OperationalError: The database cannot be reached.
    """
    whole = f"crm_assets {lake}"
    # Always in the same order, to prevent deadlocks.
    turns = [(SHARE, whole), *((TAKE, f"{whole} {table}") for table in sorted(tables))] if tables else [(TAKE, whole)]
    what = ", ".join(sorted(tables)) or "the lake"
    name = f"process {os.getpid()} on {socket.gethostname()}"
    give_up_at = time.monotonic() + wait
    with closing(psycopg.connect(dsn, autocommit=True, application_name=name[:63])) as session:
        session_id = _backend(session)
        if session_id != session.info.backend_pid:
            _refuse_pooler(dsn, session_id)
        for statement, key in turns:
            patience = FIRST_MESSAGE_AFTER
            while not _acquired(session, statement, key, min(patience, give_up_at - time.monotonic())):
                holders = _holders(session, key)
                left = give_up_at - time.monotonic()
                if left <= 0:
                    raise WarehouseBusy(
                        f"{what} was written by {holders} for {wait:.0f} s. Wait until that is done or stop it, then "
                        "run this again"
                    )
                announce(f"Waiting for {what}, written by {holders} ({wait - left:.0f} of {wait:.0f} s)")
                patience = MESSAGE_EVERY
        yield session_id


def _backend(session: Session) -> int:
    """PostgreSQL's process id of a session. Behind a pooler, what the connection was told is another number."""
    [[pid]] = session.execute("select pg_backend_pid()").fetchall()
    return int(pid)


def _refuse_pooler(dsn: str, session_id: int) -> None:
    """Refuses a pooler that lends the session of an idle connection to another one."""
    with closing(psycopg.connect(dsn, autocommit=True)) as other:
        if _backend(other) == session_id:
            raise WarehouseUnreachable(
                "CRM_WAREHOUSE leads to a connection pooler in transaction mode, such as PgBouncer, which loses locks. "
                "Connect to PostgreSQL itself, or use the pooler's session mode. Nothing was written"
            )


def _acquired(session: Session, statement: str, key: str, patience: float) -> bool:
    session.execute("select set_config('lock_timeout', %s, false)", [f"{max(1, int(patience * 1000))}ms"])
    try:
        session.execute(statement, {"key": key})
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def _holders(session: Session, key: str) -> str:
    [[holders]] = session.execute(HOLDERS, {"key": key}).fetchall()
    return str(holders or "another process")
