"""Syncs many CRMs on one lake every hour for days, several at a time: what grows, and who waits, as a Markdown table.

    PYTHONPATH=. .venv/bin/python benchmarks/many_crms.py --crms 4 --processes 4 --hours 216 --lists 2 --dagster-every 1

In each hour, each CRM reads its lists, in the first one in full, later ones incrementally, an hour later by the clock
of the sandbox. A process syncs its share of the CRMs one after another, as long as the benchmark lasts, and keeps the
DuckDB instance of each open. Every 24th sync is a full read and a whole Dagster run, checks included, with an instance
of its own. The others do the same without Dagster and without checks: their source, requests, loads, locks and commits
are the product's. Then maintenance of all CRMs runs, and a line of the table says what there is. After it the lake's
catalog is 24 hours later, so snapshots are kept up to a day longer than by a clock. The lake has its catalog in
PostgreSQL, one schema for each CRM, and its files in a folder. "sessions" and "wait" (the longest, for any lock in
PostgreSQL) are the most of ten samples a second since the line before. At the end, or when it has lasted as long as it
may, each record that the sandbox lists is looked for in the tables of each CRM.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from itertools import product
from pathlib import Path
from subprocess import PIPE

import psycopg

from crm_assets.sandbox.server import serving_sandbox
from crm_assets_tests.lake_servers import lake_servers

BEGIN = datetime(2026, 10, 1, 8, tzinfo=timezone.utc)
LISTS = ("contacts", "accounts")
WORKER = Path(__file__).with_name("many_crms_worker.py")
SAMPLE = """
select
    count(*),
    coalesce(extract(epoch from max(clock_timestamp() - query_start) filter (where wait_event_type = 'Lock')), 0)
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""
TABLES = "select schemaname, tablename from pg_tables where schemaname like 'north_%'"
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

    def __init__(
        self, names: Sequence[str], processes: int, lists: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> None:
        """Starts them."""
        self._log_of = {}
        for first in range(processes):
            own = folder / f"worker_{first}"
            own.mkdir()
            command = [sys.executable, str(WORKER), ",".join(lists), *names[first::processes]]
            streams = {"stdin": PIPE, "stdout": PIPE, "stderr": (own / "log").open("wb")}
            process = subprocess.Popen(command, env={**os.environ, **environment}, cwd=own, text=True, **streams)
            self._log_of[process] = own / "log"

    def run(self, what: str) -> float:
        """Does it with each CRM. Returns the CPU seconds of all processes until now."""
        for process in self._log_of:
            print(what, file=process.stdin, flush=True)
        return sum(map(self._cpu, self._log_of))

    def _cpu(self, process: "subprocess.Popen[str]") -> float:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("CPU "):
                return float(line.removeprefix("CPU "))
        sys.exit(f"A process failed:\n{self._log_of[process].read_text()[-3000:]}")

    def end(self) -> None:
        """Ends them."""
        for process in self._log_of:
            process.communicate()


def main() -> None:
    """Prints a line for each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crms", type=int, default=100)
    parser.add_argument("--processes", type=int, default=20, help="at a time")
    parser.add_argument("--hours", type=int, default=168, help="syncs of each CRM after the first")
    parser.add_argument("--lists", type=int, default=1, choices=range(1, len(LISTS) + 1), help="lists of each CRM")
    parser.add_argument("--dagster-every", type=int, default=24, metavar="HOURS", help="hours from one Dagster run on")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="ends then with a shorter week")
    parser.add_argument("--rows", type=int, default=200, help="records of the five lists of each CRM")
    options = parser.parse_args()
    names, now = [f"north_{number:03}" for number in range(options.crms)], [BEGIN]
    with ExitStack() as stack:
        servers = stack.enter_context(lake_servers())
        crm = stack.enter_context(serving_sandbox(rows=options.rows, now=lambda: now[0]))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lake = servers.new_lake() | {"CRM_WAREHOUSE_FILES": str(folder / "lake"), "CRM_DATA_DIR": str(folder)}
        for name in names:
            lake[f"SOURCES__{name.upper()}__BASE_URL"] = crm.base_url
            lake[f"SOURCES__{name.upper()}__API_KEY"] = crm.api_key
        dsn = lake["CRM_WAREHOUSE"].removeprefix("ducklake:postgres:")
        samples = Samples(dsn)
        stack.callback(samples.end)
        workers = Workers(names, options.processes, LISTS[: options.lists], lake, folder)
        stack.callback(workers.end)
        print("| hours | CPU s of a run | catalog tables | their rows | files | MiB | sessions | wait s |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
        give_up_at = time.monotonic() + options.minutes * 60
        cpu = workers.run("full")
        used, runs = 0.0, 0
        for hour in range(1, options.hours + 1):
            now[0] += timedelta(hours=1)
            mode = "incremental" if hour % 24 else "full"
            before, cpu = cpu, workers.run(mode if hour % options.dagster_every else f"dagster {mode}")
            used, runs = used + cpu - before, runs + len(names)
            is_last = hour == options.hours or time.monotonic() >= give_up_at
            if hour % 24 and not is_last:
                continue
            cpu = workers.run("maintenance")
            print(line(hour, used / runs, dsn, folder / "lake", samples), flush=True)
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


def line(hour: int, cpu: float, dsn: str, files: Path, samples: Samples) -> str:
    """A line of the table."""
    sizes = [path.stat().st_size for path in files.rglob("*.parquet")]
    with psycopg.connect(dsn) as session:
        tables = session.execute(TABLES).fetchall()
        counts = [session.execute(f'select count(*) from "{of}"."{table}"').fetchall() for of, table in tables]
    rows = sum(count for [[count]] in counts)
    sessions, wait = samples.most()
    return (
        f"| {hour} | {cpu:.2f} | {len(tables):,} | {rows:,} | {len(sizes):,} | {sum(sizes) / 2**20:.1f} "
        f"| {sessions} | {wait:.1f} |"
    )


if __name__ == "__main__":
    main()
