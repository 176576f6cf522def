"""What more records, CRMs and runs would take: a simulation from a few measured constants, as Markdown tables.

    .venv/bin/python benchmarks/scaling.py

Nothing is measured here, and nothing is random: the same constants give the same tables. docs/beyond_one_machine.md
says where each constant comes from and what is left out.
"""

import heapq
from dataclasses import dataclass, replace

START = 15.0
"""Seconds of CPU that a run of all assets takes however few the records are: Python, Dagster, checks, events."""

STEP_IN_A_PROCESS = 2.0
"""Seconds of CPU more for each step that has a process, or a container, of its own."""

STEPS = 20
"""Steps of a full run that take time: raw tables and models."""

READ = 95e-6
"""Seconds of CPU to read, type and load a record."""

MODEL = 10e-6
"""Seconds of CPU that a record costs in the models."""

MEMORY = 0.56
"""GiB at the peak of a run of a million records."""

LEAST_MEMORY = 0.4
"""GiB at the peak of a run of 40,000 records."""

STORED = 0.3
"""GB of a million records with their models."""

CHANGED = 0.01
"""Share of the records that changed since the last incremental read."""

UNSORTED = 0.25
"""Share of the records in lists that the API does not sort (tasks, appointments): these are read in full each time."""

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


def run_of(plan: Plan, *, full: bool) -> Run:
    """A full or an incremental run of one CRM."""
    mine = plan.records / plan.crms
    read = mine if full else mine * (UNSORTED + (1 - UNSORTED) * CHANGED)
    requests = read / plan.per_page + RESOURCES
    return Run(
        start=START + (STEPS * STEP_IN_A_PROCESS if plan.own_processes else 0),
        # Models read whole tables, whatever has changed.
        cpu=read * READ + mine * MODEL,
        latency=requests * plan.latency / plan.in_flight,
        allowance=requests * 3600 / plan.an_hour if plan.an_hour else 0,
        requests=requests,
    )


def simulate(plan: Plan) -> Day:
    """One day: runs wait for a worker in the order that they are due in."""
    full, incremental = run_of(plan, full=True), run_of(plan, full=False)
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
        memory=plan.workers * max(LEAST_MEMORY, MEMORY * plan.records / plan.crms / 1e6),
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


def table(plans: dict[str, Plan]) -> None:
    """Prints a line for each plan."""
    print(
        "| | night | one full run | core hours a day | requests a day | memory | stored | workers busy | bottleneck |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for name, plan in plans.items():
        day = simulate(plan)
        stored = STORED * plan.records / 1e6
        print(
            f"| {name} | {day.night / 60:,.1f} min | {day.longest / 60:,.1f} min | {day.cores:,.1f} "
            f"| {day.requests:,.0f} | {day.memory:.1f} GiB | {stored:.2f} GB | {day.busy:.0%} | {day.bottleneck} |"
        )
    print()


def main() -> None:
    """Prints both tables."""
    table(SIZES)
    table(CHANGES)


if __name__ == "__main__":
    main()
