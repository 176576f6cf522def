"""What more records, CRMs and runs would take: runs are measured, and a day is computed from them, as Markdown tables.

    PYTHONPATH=. .venv/bin/python benchmarks/scaling.py --rows 500 100000

On a file and in a lake, a run of all assets and one of the raw tables is measured with few records and with more, each
in a process of its own with an empty warehouse: the costs of a run and of a record follow. Records have undeclared
fields, odd types and side-loaded arrays. Measure on a quiet machine: CPU seconds grow when others share its caches, and
the costs of a record are a difference of two runs. Nothing else is measured, and nothing is random: the same costs
give the same day. docs/beyond_one_machine.md says what is left out.
"""

import heapq
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from measuring import MATERIALIZE, UNUSUAL, Measured, head, line, measured, parser, sandbox, settings

from crm_assets_tests.lake_servers import LakeServers, lake_servers

STEPS = 20
"""Steps of a full run that take time: raw tables and models."""

CHANGED = 0.01
"""Share of the records that changed since the last incremental read: assumed."""

UNSORTED = 0.25
"""Share of the records in lists that the API does not sort (tasks, appointments): these are read in full each time."""


@dataclass(frozen=True)
class Costs:
    """What runs cost, measured.

    Attributes:
        start: CPU seconds of a run of all assets however few the records are: Python, Dagster, checks, events.
        step: CPU seconds more for each step with a process of its own.
        read: CPU seconds to read, type and load a record.
        model: CPU seconds that a record costs in the models.
        memory: GiB at the peak of the largest run measured.
        stored: Bytes a record takes with its models.
    """

    start: float
    step: float
    read: float
    model: float
    memory: float
    stored: float


def costs_of(kind: str, servers: LakeServers, few: int, many: int) -> Costs:
    """Measures runs with few records, and with many."""
    sizes: list[float] = []

    def run(base_url: str, selection: str, executor: str = "in_process") -> Measured:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            environment = settings(base_url, folder) | {"CRM_EXECUTOR": executor}
            environment |= servers.new_lake() | {"CRM_WAREHOUSE_FILES": name} if kind == "lake" else {}
            made = measured([*MATERIALIZE, selection], environment, folder)
            files = folder.rglob("*.parquet") if kind == "lake" else folder.glob("crm.duckdb")
            sizes.append(sum(path.stat().st_size for path in files))
            return made

    with sandbox(f"--rows={few}", *UNUSUAL) as base_url:
        raw, all_few = run(base_url, "group:raw"), run(base_url, "*")
        apart = run(base_url, "group:raw", "multiprocess")
    with sandbox(f"--rows={many}", *UNUSUAL) as base_url:
        raw_many, all_many = run(base_url, "group:raw"), run(base_url, "*")
    read = (raw_many.cpu - raw.cpu) / (many - few)
    model = (all_many.cpu - all_few.cpu) / (many - few) - read
    return Costs(
        start=all_few.cpu - few * (read + model),
        step=(apart.cpu - raw.cpu) / RESOURCES,
        read=read,
        model=max(model, 0.0),
        memory=all_many.peak / 1024,
        stored=(sizes[-1] - sizes[1]) / (many - few),
    )


RESOURCES = 5
DAY = 86_400
NIGHT = 2.5 * 3600
"""When all full reads are due: half past two."""


@dataclass(frozen=True)
class Plan:
    """What is asked for, and the settings.

    Attributes:
        records: Of all CRMs.
        crms: Of the same size; each has one full read a night.
        runs: A day, of all CRMs; those that are no full reads are incremental, evenly over the day.
        workers: Runs at a time, on a core each (`max_concurrent_runs`).
        per_page: Records a request.
        latency: Seconds an answer takes.
        in_flight: `max_in_flight`.
        an_hour: `requests_per_hour` of each CRM; 0: none.
        own_processes: Whether steps have a process each.
    """

    records: int = 10_000_000
    crms: int = 100
    runs: int = 1000
    workers: int = 5
    per_page: int = 50
    latency: float = 0.1
    in_flight: int = 8
    an_hour: int = 0
    own_processes: bool = False


@dataclass(frozen=True)
class Run:
    """What one run takes: seconds by what they are spent on."""

    start: float
    cpu: float
    latency: float
    allowance: float
    requests: float

    @property
    def seconds(self) -> float:
        """Answers are waited for while none are there to be typed; an allowance may make the wait longer."""
        return self.start + max(self.cpu + self.latency, self.allowance)


@dataclass(frozen=True)
class Day:
    """What a day takes.

    Attributes:
        night: Seconds from the time that the full reads are due until the last one ends.
        longest: Seconds of the longest run.
        cores: Core hours.
        requests: Of all CRMs.
        memory: GiB at the peak, all workers together.
        busy: Share of the workers' time in which they have a run.
        bottleneck: What the night is spent on most.
    """

    night: float
    longest: float
    cores: float
    requests: float
    memory: float
    busy: float
    bottleneck: str


def run_of(plan: Plan, costs: Costs, *, full: bool) -> Run:
    """A full or an incremental run of one CRM."""
    mine = plan.records / plan.crms
    read = mine if full else mine * (UNSORTED + (1 - UNSORTED) * CHANGED)
    requests = read / plan.per_page + RESOURCES
    return Run(
        start=costs.start + (STEPS * costs.step if plan.own_processes else 0),
        # Models read whole tables, whatever has changed.
        cpu=read * costs.read + mine * costs.model,
        latency=requests * plan.latency / plan.in_flight,
        allowance=requests * 3600 / plan.an_hour if plan.an_hour else 0,
        requests=requests,
    )


def simulate(plan: Plan, costs: Costs) -> Day:
    """One day: runs wait for a worker in the order that they are due in."""
    full, incremental = run_of(plan, costs, full=True), run_of(plan, costs, full=False)
    others = plan.runs - plan.crms
    due = [(NIGHT, full)] * plan.crms + [(DAY * (i + 0.5) / others, incremental) for i in range(others)]
    free = [0.0] * plan.workers
    night = 0.0
    for at, run in sorted(due, key=lambda item: item[0]):
        ends = max(at, heapq.heappop(free)) + run.seconds
        heapq.heappush(free, ends)
        if run is full:
            night = max(night, ends - NIGHT)
    all_runs = [full] * plan.crms + [incremental] * others
    waits = {
        "allowance": max(0.0, full.allowance - full.cpu - full.latency),
        "latency": full.latency,
        "CPU": full.cpu,
        "start": full.start,
    }
    # A night that is much longer than its longest run is one in which runs wait for each other.
    spent = max(waits, key=lambda name: waits[name])
    return Day(
        night=night,
        longest=full.seconds,
        cores=sum(run.start + run.cpu for run in all_runs) / 3600,
        requests=sum(run.requests for run in all_runs),
        memory=plan.workers * costs.memory,
        busy=sum(run.seconds for run in all_runs) / (plan.workers * DAY),
        bottleneck=f"workers, for {spent}" if night > 2 * full.seconds else spent,
    )


BASE = Plan()
SIZES = {
    "40,000 records, 1 CRM, 25 runs": replace(BASE, records=40_000, crms=1, runs=25, workers=1),
    "1 million, 1 CRM, 25 runs": replace(BASE, records=1_000_000, crms=1, runs=25, workers=1),
    "10 million, 1 CRM, 25 runs": replace(BASE, crms=1, runs=25, workers=1),
    "1 million, 10 CRMs, 250 runs": replace(BASE, records=1_000_000, crms=10, runs=250),
    "10 million, 100 CRMs, 1,000 runs": BASE,
}
CHANGES = {
    "as above": BASE,
    "1 worker": replace(BASE, workers=1),
    "2 workers": replace(BASE, workers=2),
    "20 workers": replace(BASE, workers=20),
    "100 workers": replace(BASE, workers=100),
    "`max_in_flight` 16": replace(BASE, in_flight=16),
    "`per_page` 100": replace(BASE, per_page=100),
    "a process for each step": replace(BASE, own_processes=True),
    "answers after 500 ms": replace(BASE, latency=0.5),
    "1,000 requests an hour for each CRM": replace(BASE, an_hour=1000),
    "the same, `per_page` 100": replace(BASE, an_hour=1000, per_page=100),
    "the same, 100 workers": replace(BASE, an_hour=1000, per_page=100, workers=100),
}


def table(plans: Mapping[str, Plan], costs: Costs) -> None:
    """Prints a line for each plan."""
    numbers = ("night:", "one full run:", "core hours a day:", "requests a day:", "memory:", "stored:", "workers busy:")
    head("computed", *numbers, "bottleneck")
    for name, plan in plans.items():
        day = simulate(plan, costs)
        minutes = (f"{seconds / 60:,.1f} min" for seconds in (day.night, day.longest))
        stored = f"{costs.stored * plan.records / 1e9:.2f} GB"
        used = (f"{day.cores:,.1f}", f"{day.requests:,.0f}", f"{day.memory:.1f} GiB", stored, f"{day.busy:.0%}")
        line(name, *minutes, *used, day.bottleneck)
    print()


def main() -> None:
    """Prints what was measured, and the tables computed from it."""
    options = parser(__doc__)
    options.add_argument("--rows", type=int, nargs=2, default=[500, 100_000], help="few records, and many")
    options.add_argument("--warehouse", nargs="+", choices=("file", "lake"), default=["file", "lake"])
    given = options.parse_args()
    few, many = given.rows
    with lake_servers() as servers:
        costs = {kind: costs_of(kind, servers, few, many) for kind in given.warehouse}
    of_runs = ("CPU s of a run:", "CPU s of a step's process:", "µs to read a record:", "µs in the models:")
    head(f"measured, with {few:,} and {many:,} records", *of_runs, "peak MiB:", "bytes stored:")
    for kind, found in costs.items():
        seconds = (f"{found.start:.1f}", f"{found.step:.1f}")
        rest = (found.read * 1e6, found.model * 1e6, found.memory * 1024, found.stored)
        line(kind, *seconds, *(f"{number:.0f}" for number in rest))
    print()
    for kind, found in costs.items():
        print(f"{kind}:\n")
        table(SIZES, found)
        table(CHANGES, found)


if __name__ == "__main__":
    main()
