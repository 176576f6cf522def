"""Compares the same sync and models on a DuckDB file and on a lake, as a Markdown table.

    PYTHONPATH=. .venv/bin/python benchmarks/warehouses.py --rows 40000 --workers 1 2 5 --latency 0 100 --repeat 3

The lake has its catalog in PostgreSQL and its files on an S3 server of this machine, both started here. Each run has an
empty warehouse, and the kinds alternate. Times are medians in seconds of the whole process, including Python's start;
CPU seconds leave out the servers. One worker runs steps in the run's process, more run each step in a process.
Records have undeclared fields, some have values of other types, and answers have side-loaded arrays.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path

from measuring import MATERIALIZE, UNUSUAL, Measured, head, line, measured, medians, parser, sandbox, settings

from crm_assets_tests.lake_servers import lake_servers

WAREHOUSES = ("file", "lake")


def measure(warehouse: Mapping[str, str], base_url: str, workers: int) -> Measured:
    """Materializes everything once, in an empty warehouse."""
    command = [*MATERIALIZE, "*"]
    if workers > 1:
        command += ["--config-json", json.dumps({"execution": {"config": {"max_concurrent": workers}}})]
    executor = {"CRM_EXECUTOR": "multiprocess" if workers > 1 else "in_process"}
    with tempfile.TemporaryDirectory() as name:
        return measured(command, {**warehouse, **settings(base_url, Path(name)), **executor}, Path(name))


def main() -> None:
    """Prints the table."""
    options = parser(__doc__)
    options.add_argument("--rows", type=int, default=40_000, help="records over the five lists")
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2, 5], help="steps at a time")
    options.add_argument("--latency", type=int, nargs="+", default=[0, 100], help="milliseconds a request")
    options.add_argument("--repeat", type=int, default=3, help="runs of each")
    given = options.parse_args()
    numbers = ("seconds:", "of the file's:", "CPU s:", "peak MiB:", "load before:")
    head("latency:", "workers:", "warehouse", *numbers)
    with lake_servers() as servers:
        for latency, workers in product(given.latency, given.workers):
            with sandbox(f"--rows={given.rows}", f"--latency={latency}", *UNUSUAL) as base_url:
                measure({}, base_url, 1)  # the sandbox renders its records
                load = os.getloadavg()[0]
                runs: dict[str, list[Measured]] = {kind: [] for kind in WAREHOUSES}
                for _, kind in product(range(given.repeat), WAREHOUSES):
                    runs[kind].append(measure(servers.new_lake() if kind == "lake" else {}, base_url, workers))
            of_the_file, *_ = medians(runs["file"])
            for kind, made in runs.items():
                wall, cpu, peak = medians(made)
                times = (f"{wall:.1f}", f"{wall / of_the_file:.2f}", f"{cpu:.1f}")
                line(f"{latency} ms", workers, kind, *times, f"{peak:,.0f}", f"{load:.1f}")


if __name__ == "__main__":
    main()
