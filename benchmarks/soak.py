"""Tests that kill -9 does not damage tables: kills concurrent runs against a faulty sandbox, then compares all tables.

    .venv/bin/python benchmarks/soak.py --kills 200 --processes 3

In each round the sandbox shows a later time and has other faults. A run that is not killed must succeed, or report the
fault if every request fails. After every kill, no id may be duplicate and no row may be missing. At the end, a full
refresh must produce the same tables as one in an empty data directory.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock

import duckdb
from measuring import DAGSTER, MATERIALIZE, head, line, parser, sandbox, settings

from crm_assets.api import ENDPOINTS
from crm_assets.errors import NothingStored
from crm_assets.warehouse.warehouse import Warehouse

BEGIN = datetime(2026, 1, 31, tzinfo=timezone.utc)
RUNS_A_ROUND = 4  # of each process
LONGEST_RUN, SECONDS_A_KILL = 300.0, 60.0
KILLED, BY_COMMAND, BROKEN = 0.75, 0.15, 0.1  # shares: of the runs, of the runs, of the rounds
IDS = dict(zip(ENDPOINTS, ("account_id", "contact_id", "deal_id", "task_id", "appointment_id"), strict=True))
VARYING = {"_dlt_load_id", "_dlt_id", "last_seen_load_id", "taken_at"}  # when, or by which load, a row came
SELECTED = "__ASSET_JOB"  # the name that Dagster gives it
JOB = [DAGSTER, "job", "execute", "-m", "crm_assets.definitions", "-j"]
SEEN_BY_BUILDS = ("account_ownership", "won_deal_changes", "task_durations")  # tell when changes were noticed
DAILY = {"pipeline_health_daily": "snapshot_date = current_date", **dict.fromkeys(SEEN_BY_BUILDS, "false")}
IN_PROCESS = """
import sys
from dagster import AssetKey
from crm_assets.definitions import defs
job, *resources = sys.argv[1:]
selection = [AssetKey(["raw", resource]) for resource in resources] or None
result = defs.resolve_job_def(job).execute_in_process(asset_selection=selection, raise_on_error=False)
sys.exit(not result.success)
"""


class Harm(Exception):
    """A run or a table is wrong."""


def expect(holds: bool, otherwise: str) -> None:
    """Raises `Harm` unless it holds."""
    if not holds:
        raise Harm(otherwise)


@dataclass
class Soak:
    """A data directory, the runs on it, and the counts so far."""

    data: Path
    options: argparse.Namespace
    give_up_at: float
    usual: float = 8.0  # seconds from a run's start in Dagster to its end
    rows: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    lock: Lock = field(default_factory=Lock)

    def over(self) -> bool:
        """Whether to start no further run."""
        return time.monotonic() >= self.give_up_at or self.seen["kills"] >= (self.options.kills or sys.maxsize)

    def run_one(self, url: str, broken: int | None, seed: float) -> None:
        """Starts a run, maybe kills it, and checks the result. `broken`: the status of every answer, if all fail."""
        if self.over():
            return
        dice = random.Random(seed)  # noqa: S311 - chance that repeats
        command = drawn_command(dice)
        after = dice.uniform(0, 1.1 * self.usual) if dice.random() < KILLED else None
        status, output = self.execute(command, self.data, url, after)
        if status == -signal.SIGKILL:
            self.check(f"after {command[-3:]} was killed")
            return
        is_reported = status == 1 and f"status {broken}" in output
        expect(is_reported if broken else status == 0, f"{command[-3:]} ended with {status}:\n{output[-6000:]}")
        with self.lock:
            self.seen["failed as expected" if is_reported else "ok"] += 1

    def execute(self, command: list[str], data: Path, url: str, after: float | None = None) -> tuple[int, str]:
        """Runs a command, and kills it `after` seconds from the start of its run, unless it has ended."""
        folder = Path(mkdtemp(prefix="run", dir=data.parent))
        output, given = folder / "output", environment(data, url)
        with output.open("wb") as log:
            process = subprocess.Popen(command, env=given, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        give_up_at = time.monotonic() + LONGEST_RUN
        while process.poll() is None and b"RUN_START" not in output.read_bytes() and time.monotonic() < give_up_at:
            time.sleep(0.02)
        begun = time.monotonic()
        try:
            process.wait(LONGEST_RUN if after is None else after)
            self.usual += (time.monotonic() - begun - self.usual) * 0.3 * (after is None)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        text = output.read_text(errors="replace")
        if process.returncode == -signal.SIGKILL:
            expect(after is not None, f"{command[-3:]} did not end:\n{text[-6000:]}")
            self.count_kill(process.pid, text)
        shutil.rmtree(folder, ignore_errors=True)
        return process.returncode, text

    def count_kill(self, pid: int, output: str) -> None:
        """Counts a kill, whether the process held the lock, and the kind of step that it interrupted."""
        with self.lock, suppress(OSError):
            steps = re.findall(r" - (\w+) - STEP_START", output) or ["no step"]
            self.seen.update(("kills", f"kills in {steps[-1].partition('__')[0]}"))
            self.seen["kills while the database was locked"] += (
                f'"pid": {pid},' in (self.data / "crm.duckdb.holder").read_text()
            )

    def check(self, when: str) -> None:
        """Checks the raw tables: unique ids, and no missing rows."""
        warehouse = Warehouse(database=str(self.data / "crm.duckdb"))
        with suppress(NothingStored), warehouse.read_connection() as connection:
            for resource in ENDPOINTS:
                count, ids, earlier = 0, 0, self.rows[resource]
                with suppress(duckdb.CatalogException):  # no run has come that far
                    found = connection.sql(f"from raw.{resource} select count(*), count(distinct id)")
                    [(count, ids)] = found.fetchall()
                expect(count == ids >= earlier, f"raw.{resource}: {count} rows, {ids} ids, {earlier} before, {when}")
                self.rows[resource] = count

    def finish(self, url: str) -> Counter[str]:
        """Compares the tables with those of a full refresh in an empty directory. Returns their numbers of rows."""
        today, fresh = None, self.data.with_name("fresh")
        while today != datetime.now(timezone.utc).date():  # marts tell the days up to today
            today = datetime.now(timezone.utc).date()
            for data in (self.data, fresh):
                status, output = self.execute([*JOB, "crm_full_refresh"], data, url)
                expect(status == 0, f"undisturbed, it ended with {status}:\n{output[-6000:]}")
        self.check("at the end")
        left = sorted(path.name for path in (self.data / "pipelines").iterdir())
        expect(not left, f"working folders of killed runs are left: {left}")
        found, expected = shown_rows(self.data / "crm.duckdb"), shown_rows(fresh / "crm.duckdb")
        for kind, rows in (("too many", found - expected), ("missing", expected - found)):
            expect(not rows, f"{rows.total()} rows {kind}, such as {min(rows, default=())}")
        return Counter(table for table, _ in found.elements())


def drawn_command(dice: random.Random) -> list[str]:
    """A random command: a job or some of the raw assets, in one of two kinds of processes."""
    job = dice.choice(("crm_full_refresh", "crm_incremental", SELECTED))
    resources = dice.sample(list(ENDPOINTS), dice.randint(0, len(ENDPOINTS))) if job == SELECTED else []
    if dice.random() >= BY_COMMAND:
        return [sys.executable, "-c", IN_PROCESS, job, *resources]
    if job != SELECTED:
        return [*JOB, job]
    keys = (f'key:"raw/{resource}"' for resource in resources)
    return [*MATERIALIZE, " or ".join(keys) or "*"]


def drawn_faults(dice: random.Random) -> tuple[list[str], int | None]:
    """Random faults of the sandbox that retries overcome; in some rounds every request fails with a status."""
    broken = dice.choice((403, 503)) if dice.random() < BROKEN else None
    drawn = dice.choice((429, 500, 502, 503, 504)), dice.choice((0, 0.05, 0.2))
    status, rate = (broken, 1) if broken else drawn
    wait = [] if broken else dice.choice(([], ["--retry-after=0"], ["--retry-after=1"]))
    return [f"--fail-rate={rate}", f"--fail-status={status}", f"--latency={dice.choice((0, 5, 20))}", *wait], broken


def environment(data: Path, url: str) -> dict[str, str]:
    """The environment of a run, with all of its settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER_HOME", "SOURCES__"))}
    return {
        **kept,
        **settings(url, data),
        "SOURCES__CRM__REQUEST_BACKOFF_FACTOR": "0.05",
        "SOURCES__CRM__ASSET_RETRY_DELAY": "0",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DLT_DATA_DIR": str(data.parent / "dlt"),
    }


def shown_rows(database: Path) -> Counter[tuple[str, str]]:
    """Tables and their rows as text: raw rows that staging shows, and all rows of models."""
    conditions = {f"raw.{name}": f"id in (from staging.stg_{name} select {key})" for name, key in IDS.items()}
    found: Counter[tuple[str, str]] = Counter()
    with Warehouse(database=str(database)).read_connection() as connection:
        models = connection.sql("from information_schema.tables select table_schema, table_name").fetchall()
        conditions |= {f"{s}.{name}": DAILY.get(name, "true") for s, name in models if s in {"staging", "marts"}}
        for table, condition in conditions.items():
            relation = connection.sql(f"from {table} where {condition}")
            rows = (zip(relation.columns, row, strict=True) for row in relation.fetchall())
            found.update((table, repr(sorted(pair for pair in row if pair[0] not in VARYING))) for row in rows)
    return found


def play(soak: Soak) -> None:
    """Runs all rounds and the comparison, and prints the results."""
    options, dice = soak.options, random.Random(soak.options.seed)  # noqa: S311 - chance that repeats
    now, port, started = BEGIN, 0, time.monotonic()
    world = (f"--rows={options.rows}", f"--seed={options.seed}")
    while not soak.over():
        now += timedelta(minutes=dice.randint(1, 600))
        faults, broken = drawn_faults(dice)
        where = (f"--port={port}", f"--now={now.isoformat()}")
        with sandbox(*world, *where, *faults) as base_url, ThreadPoolExecutor(options.processes) as pool:
            port = int(base_url.rpartition(":")[2])
            seeds = [dice.random() for _ in range(options.processes * RUNS_A_ROUND)]
            list(pool.map(partial(soak.run_one, base_url, broken), seeds))  # the first error cancels the rest
        minutes = (time.monotonic() - started) / 60
        summary = ", ".join(f"{name} {count}" for name, count in soak.seen.items())
        print(f"{minutes:5.1f} min, {now:%F %R}, {' '.join(faults)}: {summary}", file=sys.stderr, flush=True)
    with sandbox(*world, *where, f"--port={port}") as base_url:
        rows = soak.finish(base_url)
    print(f"{summary}, {minutes:.1f} minutes: {soak.seen['kills'] / minutes:.0f} kills a minute")
    head("table", "rows, the same as undisturbed:")
    for table, count in rows.items():
        line(table, count)


def main() -> None:
    """Runs the soak test. The exit code is 1 if anything is wrong."""
    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=float, default=60, help="how long new runs are started")
    arguments.add_argument("--kills", type=int, help="instead of a time: how many kills; at most a minute for each")
    arguments.add_argument("--processes", type=int, default=3, help="runs at once")
    arguments.add_argument("--rows", type=int, default=2000, help="records over the five lists")
    arguments.add_argument("--seed", type=int, default=1, help="of the records and of chance")
    options = arguments.parse_args()
    seconds = options.kills * SECONDS_A_KILL if options.kills else options.seconds
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    folder = Path(mkdtemp(prefix="soak"))
    try:
        play(Soak(folder / "data", options, time.monotonic() + seconds))
    except Harm as harm:
        sys.exit(f"{harm}\nThe data are kept in {folder}")
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
