"""Syncs many CRMs on one lake every hour for days, several at a time: what grows, and who waits, as a Markdown table.

    PYTHONPATH=. .venv/bin/python benchmarks/many_crms.py --crms 100 --processes 20 --hours 4
    PYTHONPATH=. .venv/bin/python benchmarks/many_crms.py --crms 10 --processes 10 --hours 216

In each hour, each CRM reads two of its lists in a run of its own; in the first one in full, later ones incrementally,
an hour later by the clocks of the sandbox and of the lake's catalog. A process makes the runs of its share of the CRMs
one after another, as long as the benchmark lasts. After 24 hours, maintenance of all CRMs runs; a line of the table is
what there is then. The lake has its catalog in PostgreSQL, one schema for each CRM, and its files in a folder.
"sessions" and "wait" (the longest, for any lock in PostgreSQL) are the most of ten samples a second since the line
before. At the end, each record that the sandbox lists is looked for in the tables of each CRM.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from subprocess import PIPE

import psycopg

from crm_assets.sandbox.server import serving_sandbox
from crm_assets_tests.lake_servers import lake_servers

BEGIN = datetime(2026, 10, 1, 8, tzinfo=timezone.utc)
LISTS = ("accounts", "contacts")
WORKER = """
import resource, sys
from datetime import datetime
import requests
from crm_assets.api import ENDPOINTS
from crm_assets.settings import Crm, resolve_settings
from crm_assets.warehouse.warehouse import Warehouse
from dagster import AssetKey, DagsterInstance, build_defs_for_component
from crm_assets.components import CrmComponent
defs = {
    name: build_defs_for_component(CrmComponent(name=name, resources=["accounts", "contacts"])) for name in sys.argv[1:]
}

def compare(name):
    settings = resolve_settings(Crm(name))
    for resource in ("accounts", "contacts"):
        listed, page = {}, 0
        while records := requests.get(
            f"{str(settings.base_url).rstrip('/')}/{ENDPOINTS[resource].path.lstrip('/')}",
            params={"page": (page := page + 1), "per_page": 50},
            headers={settings.api_key_name: settings.api_key.get_secret_value()},
        ).json().get(ENDPOINTS[resource].data_selector):
            listed |= {record["id"]: datetime.fromisoformat(record["updated_at"]).timestamp() for record in records}
        with Warehouse().of(Crm(name)).read_connection() as connection:
            stored = dict(connection.execute(f"select id, epoch(updated_at) from raw.{resource}").fetchall())
        missing = {(id_, at, stored.get(id_)) for id_, at in listed.items() if stored.get(id_) != at}
        assert listed and not missing, (name, resource, missing)

for line in sys.stdin:
    what = line.strip()
    for name in defs:
        if what == "compare":
            compare(name)
            continue
        with DagsterInstance.ephemeral() as instance:
            if what == "maintenance":
                result = defs[name].resolve_job_def(f"{name}_lake_maintenance").execute_in_process(instance=instance)
            else:
                keys = [AssetKey([name, "raw", resource]) for resource in ("accounts", "contacts")]
                config = {"ops": {"__".join(key.path): {"config": {"mode": what}} for key in keys}}
                job = defs[name].resolve_implicit_global_asset_job_def()
                result = job.execute_in_process(asset_selection=keys, run_config=config, instance=instance)
        assert result.success
    used = resource.getrusage(resource.RUSAGE_SELF)
    print("CPU", used.ru_utime + used.ru_stime, flush=True)
"""
SAMPLE = """
select
    count(*),
    coalesce(extract(epoch from max(clock_timestamp() - query_start) filter (where wait_event_type = 'Lock')), 0)
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""
TABLES = "select schemaname, tablename from pg_tables where schemaname like 'north_%'"
AN_HOUR_LATER = (
    "update {0}.ducklake_snapshot set snapshot_time = snapshot_time - interval '1 hour'",
    "update {0}.ducklake_files_scheduled_for_deletion set schedule_start = schedule_start - interval '1 hour'",
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


class Workers:
    """Processes, each with its share of the CRMs."""

    def __init__(self, names: Sequence[str], processes: int, environment: Mapping[str, str], folder: Path) -> None:
        """Starts them."""
        self._log_of = {}
        for first in range(processes):
            own = folder / f"worker_{first}"
            own.mkdir()
            command = [sys.executable, "-c", WORKER, *names[first::processes]]
            streams = {"stdin": PIPE, "stdout": PIPE, "stderr": (own / "log").open("wb")}
            process = subprocess.Popen(command, env={**os.environ, **environment}, cwd=own, text=True, **streams)
            self._log_of[process] = own / "log"

    def run(self, what: str) -> float:
        """One run of each CRM. Returns the CPU seconds of all processes until now."""
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
    parser.add_argument("--processes", type=int, default=4, help="at a time")
    parser.add_argument("--hours", type=int, default=24, help="syncs of each CRM")
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
        workers = Workers(names, options.processes, lake, folder)
        stack.callback(workers.end)
        print("| hours | CPU s of a run | catalog tables | their rows | files | MiB | sessions | wait s |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
        cpu = workers.run("full")
        used, runs = 0.0, 0
        for hour in range(1, options.hours + 1):
            now[0] += timedelta(hours=1)
            with psycopg.connect(dsn) as session:
                for name in names:
                    for statement in AN_HOUR_LATER:
                        session.execute(statement.format(name))
            before, cpu = cpu, workers.run("incremental")
            used, runs = used + cpu - before, runs + len(names)
            if hour % 24 and hour != options.hours:
                continue
            before, cpu = cpu, workers.run("maintenance")
            files = [path.stat().st_size for path in (folder / "lake").rglob("*.parquet")]
            with psycopg.connect(dsn) as session:
                tables = session.execute(TABLES).fetchall()
                counts = [session.execute(f'select count(*) from "{of}"."{table}"').fetchall() for of, table in tables]
            rows = sum(count for [[count]] in counts)
            sessions, wait = samples.most()
            print(
                f"| {hour} | {used / runs:.1f} | {len(tables):,} | {rows:,} | {len(files):,} "
                f"| {sum(files) / 2**20:.1f} | {sessions} | {wait:.1f} |",
                flush=True,
            )
            used, runs = 0.0, 0
        workers.run("compare")


if __name__ == "__main__":
    main()
