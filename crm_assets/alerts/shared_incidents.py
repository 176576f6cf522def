"""Open incidents in a lake's catalog, for all machines and containers that share it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import psycopg

CONNECT_TIMEOUT = 5
"""Seconds to wait for the database."""

TABLE = (
    "create table if not exists crm_assets_incidents (key text primary key, since timestamp with time zone not null)"
)
"""One row per open incident."""

ONE_AT_A_TIME = """
set local lock_timeout = '30s';
select pg_advisory_xact_lock(hashtextextended('crm_assets incidents', 0));
"""


@contextmanager
def incidents_in_catalog(dsn: str) -> Iterator[dict[str, datetime]]:
    """The open incidents: key -> since when, UTC. Changes in the body are stored. One process at a time.

    Raises:
        psycopg.OperationalError: The database cannot be reached, or another process held the lock for 30 seconds.
    """
    with psycopg.connect(dsn, connect_timeout=CONNECT_TIMEOUT) as session:
        session.execute(ONE_AT_A_TIME)
        session.execute(TABLE)
        before: dict[str, datetime] = dict(session.execute("select key, since from crm_assets_incidents").fetchall())
        now = dict(before)
        yield now
        with session.cursor() as cursor:
            cursor.executemany(
                "delete from crm_assets_incidents where key = %s", [(key,) for key in before.keys() - now]
            )
            cursor.executemany(
                "insert into crm_assets_incidents values (%s, %s)", [(key, now[key]) for key in now.keys() - before]
            )
