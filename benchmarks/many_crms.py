"""Syncs many CRMs on one lake every hour for days, several at a time: what grows, and who waits, as a Markdown table.

    PYTHONPATH=. .venv/bin/python benchmarks/many_crms.py --crms 4 --processes 4 --hours 216 --lists 2

In each hour, each CRM reads its lists in a Dagster run, in the first one and in each 24th in full, otherwise
incrementally, an hour later by the clock of the sandbox. A process syncs its share of the CRMs one after another, as
long as the benchmark lasts, and keeps the DuckDB instance of each open. After 24 hours maintenance of all CRMs runs,
and a line of the table says what there is. After it the lake's catalog is 24 hours later, so snapshots are kept up to a
day longer than by a clock. The lake has its catalog in PostgreSQL, one schema for each CRM, and its files in a folder.
"sessions" and "wait" (the longest, for any lock in PostgreSQL) are the most of ten samples a second since the line
before. At the end, or when it has lasted as long as it may, each record that the sandbox lists is looked for in the
tables of each CRM.
"""

import os
import resource
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import psycopg
from lake_sizes import COLUMNS, sizes
from many_crms_worker import begin, do
from measuring import head, line, parser

from crm_assets.sandbox.server import serving_sandbox
from crm_assets_tests.lake_servers import dsn_of, lake_servers

BEGIN = datetime(2026, 10, 1, 8, tzinfo=timezone.utc)
LISTS = ("contacts", "accounts")
SAMPLE = """
select
    count(*),
    coalesce(extract(epoch from max(clock_timestamp() - query_start) filter (where wait_event_type = 'Lock')), 0)
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""
A_DAY_LATER = (
    "update {0}.ducklake_snapshot set snapshot_time = snapshot_time - interval '24 hours'",
    "update {0}.ducklake_files_scheduled_for_deletion set schedule_start = schedule_start - interval '24 hours'",
)
REQUESTS_A_DAY_LATER = "update crm_assets_requests set sent_at = sent_at - interval '24 hours'"


class Samples:
    """The most sessions and the longest wait for a lock since the last look."""

    def __init__(self, dsn: str) -> None:
        """Begins to sample."""
        self._dsn, self._found, self._ended = dsn, [(0, 0.0)], threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def most(self) -> tuple[int, float]:
        """Sessions, and seconds."""
        found, self._found = self._found, [(0, 0.0)]
        return max(sessions for sessions, _ in found), max(wait for _, wait in found)

    def _sample(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as session:
            while not self._ended.wait(0.1):
                [(sessions, wait)] = session.execute(SAMPLE).fetchall()
                self._found.append((sessions, float(wait)))

    def end(self) -> None:
        """Ends."""
        self._ended.set()
        self._thread.join()


class Workers:
    """Processes, each with its share of the CRMs."""

    def __init__(self, names: Sequence[str], processes: int, lists: Sequence[str], folder: Path) -> None:
        """Gives each a folder. The processes start when they have something to do."""
        self._lists, self._names_of = lists, dict[ProcessPoolExecutor, Sequence[str]]()
        for first in range(processes):
            own = folder / f"worker_{first}"
            own.mkdir()
            self._names_of[ProcessPoolExecutor(1, get_context("spawn"), begin, (own,))] = names[first::processes]

    def run(self, what: str) -> float:
        """Does it with each CRM. Returns the CPU seconds of all processes until now."""
        running = [pool.submit(do, what, names, self._lists) for pool, names in self._names_of.items()]
        return sum(each.result() for each in running)

    def end(self) -> None:
        """Ends them."""
        for pool in self._names_of:
            pool.shutdown()


def main() -> None:
    """Prints a line for each day."""
    options = parser(__doc__)
    options.add_argument("--crms", type=int, default=100)
    options.add_argument("--processes", type=int, default=20, help="at a time")
    options.add_argument("--hours", type=int, default=168, help="syncs of each CRM after the first")
    options.add_argument("--lists", type=int, default=1, choices=range(1, len(LISTS) + 1), help="lists of each CRM")
    options.add_argument("--minutes", type=float, default=float("inf"), help="ends then with a shorter week")
    options.add_argument("--rows", type=int, default=200, help="records of the five lists of each CRM")
    given = options.parse_args()
    names, now = [f"north_{number:03}" for number in range(given.crms)], [BEGIN]
    with ExitStack() as stack:
        servers = stack.enter_context(lake_servers())
        crm = stack.enter_context(serving_sandbox(rows=given.rows, now=lambda: now[0]))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = folder / "lake"
        lake = servers.new_lake() | {"CRM_WAREHOUSE_FILES": str(files), "CRM_DATA_DIR": str(folder)}
        for name in names:
            lake[f"SOURCES__{name.upper()}__BASE_URL"] = crm.base_url
            lake[f"SOURCES__{name.upper()}__API_KEY"] = crm.api_key
        os.environ.update(lake)
        dsn = dsn_of(lake["CRM_WAREHOUSE"])
        samples = Samples(dsn)
        stack.callback(samples.end)
        workers = Workers(names, given.processes, LISTS[: given.lists], folder)
        stack.callback(workers.end)
        head("hours:", "CPU s of a run:", *COLUMNS, "sessions:", "wait s:")
        give_up_at = time.monotonic() + given.minutes * 60
        cpu = workers.run("full")
        used, runs = 0.0, 0
        for hour in range(1, given.hours + 1):
            now[0] += timedelta(hours=1)
            before, cpu = cpu, workers.run("incremental" if hour % 24 else "full")
            used, runs = used + cpu - before, runs + len(names)
            is_last = hour == given.hours or time.monotonic() >= give_up_at
            if hour % 24 and not is_last:
                continue
            cpu = workers.run("maintenance")
            sessions, wait = samples.most()
            line(hour, f"{used / runs:.2f}", *sizes(lake, files), sessions, f"{wait:.1f}")
            used, runs = 0.0, 0
            if is_last:
                break
            with psycopg.connect(dsn) as session:
                session.execute(REQUESTS_A_DAY_LATER)
                for name, statement in product(names, A_DAY_LATER):
                    session.execute(statement.format(name))
        workers.run("compare")
    processes = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    total = sum(used.ru_utime + used.ru_stime for used in processes)
    print(f"\nEach record is stored as it is served. All processes, PostgreSQL's included: {total:,.0f} s of CPU.")


if __name__ == "__main__":
    main()
