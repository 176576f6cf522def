"""Syncs many CRMs on one lake, in several processes at a time: what grows, and who waits, as a Markdown table.

    PYTHONPATH=. .venv/bin/python benchmarks/many_crms.py --crms 100 --processes 20 --rounds 4

In each round, each CRM reads two of its lists in a run of its own; the first round in full, later ones incrementally,
an hour later by the sandbox's clock. A process makes the runs of its share of the CRMs one after another. The lake has
its catalog in PostgreSQL, one schema for each CRM, and its files in a folder. "sessions" and "wait" (the longest, for
any lock in PostgreSQL) are the most of ten samples a second. At the end, maintenance of all CRMs runs: once as it is,
and twice after a week has passed by the catalog.
"""

import argparse
import sys
import tempfile
import threading
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg
from measuring import measured_all

from crm_assets.sandbox.server import serving_sandbox
from crm_assets_tests.lake_servers import lake_servers

BEGIN = datetime(2026, 10, 1, 8, tzinfo=timezone.utc)
LISTS = ("accounts", "contacts")
RUNS = """
import sys
from dagster import AssetKey, DagsterInstance, build_defs_for_component
from crm_assets.components import CrmComponent
what, *names = sys.argv[1:]
for name in names:
    defs = build_defs_for_component(CrmComponent(name=name, resources=["accounts", "contacts"]))
    with DagsterInstance.ephemeral() as instance:
        if what == "maintenance":
            result = defs.resolve_job_def(f"{name}_lake_maintenance").execute_in_process(instance=instance)
        else:
            keys = [AssetKey([name, "raw", resource]) for resource in ("accounts", "contacts")]
            config = {"ops": {"__".join(key.path): {"config": {"mode": what}} for key in keys}}
            job = defs.resolve_implicit_global_asset_job_def()
            result = job.execute_in_process(asset_selection=keys, run_config=config, instance=instance)
    assert result.success
"""
SAMPLE = """
select
    count(*),
    coalesce(extract(epoch from max(clock_timestamp() - query_start) filter (where wait_event_type = 'Lock')), 0)
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""
TABLES = "select schemaname, tablename from pg_tables where schemaname like 'north_%'"
A_WEEK_LATER = (
    "update {0}.ducklake_snapshot set snapshot_time = snapshot_time - interval '8 days'",
    "update {0}.ducklake_files_scheduled_for_deletion set schedule_start = schedule_start - interval '8 days'",
)


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


def main() -> None:
    """Prints a line for each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crms", type=int, default=100)
    parser.add_argument("--processes", type=int, default=4, help="at a time")
    parser.add_argument("--rounds", type=int, default=4, help="syncs of each CRM")
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
        print("| round | seconds | CPU s of a run | catalog tables | their rows | files | MiB | sessions | wait s |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)

        def round_of(title: str, what: str) -> None:
            commands = [
                [sys.executable, "-c", RUNS, what, *names[first :: options.processes]]
                for first in range(options.processes)
            ]
            wall, cpu = measured_all(commands, lake, folder)
            files = [path.stat().st_size for path in (folder / "lake").rglob("*.parquet")]
            with psycopg.connect(dsn) as session:
                tables = session.execute(TABLES).fetchall()
                counts = [session.execute(f'select count(*) from "{of}"."{table}"').fetchall() for of, table in tables]
            rows = sum(count for [[count]] in counts)
            sessions, wait = samples.most()
            print(
                f"| {title} | {wall:.0f} | {cpu / options.crms:.1f} | {len(tables):,} | {rows:,} | {len(files):,} "
                f"| {sum(files) / 2**20:.1f} | {sessions} | {wait:.1f} |",
                flush=True,
            )

        for number in range(1, options.rounds + 1):
            now[0] += timedelta(hours=1)
            round_of(str(number), "full" if number == 1 else "incremental")
        round_of("maintenance", "maintenance")
        with psycopg.connect(dsn) as session:
            for name in names:
                for statement in A_WEEK_LATER:
                    session.execute(statement.format(name))
        round_of("a week later", "maintenance")
        with psycopg.connect(dsn) as session:
            for name in names:
                session.execute(A_WEEK_LATER[1].format(name))
        round_of("the day after", "maintenance")


if __name__ == "__main__":
    main()
