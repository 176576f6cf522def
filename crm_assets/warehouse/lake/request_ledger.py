"""Counts the requests of all processes that share a lake, in its catalog's database, since they share a rate limit."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from crm_assets.source.http.limits import Rate

TABLE = """
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
where crm = %(crm)s
order by sent_at desc
limit 1
offset %(before)s
"""
"""Seconds until the oldest of the last `before + 1` requests is out of the period."""

SENT = "insert into crm_assets_requests (crm) values (%(crm)s)"

FORGOTTEN = "delete from crm_assets_requests where sent_at < clock_timestamp() - interval '2 hours'"


class PostgresLedger:
    """The requests to one CRM. May be used from any thread."""

    def __init__(self, session: psycopg.Connection[tuple[Any, ...]], crm: str) -> None:
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
def postgres_ledger(dsn: str, crm: str) -> Iterator[PostgresLedger]:
    """The ledger in a database. Creates its table.

    Raises:
        psycopg.OperationalError: The database cannot be reached.
    """
    with psycopg.connect(dsn, autocommit=True) as session:
        with session.transaction():
            session.execute(ONE_AT_A_TIME, {"crm": ""})
            session.execute(TABLE)
        session.execute(FORGOTTEN)
        yield PostgresLedger(session, crm)
