"""Compares the same sync and models on a DuckDB file and on a lake, as a Markdown table.

    PYTHONPATH=. .venv/bin/python benchmarks/warehouses.py --rows 40000 --workers 1 2 5 --latency 0 100 --repeat 3

The lake has its catalog in PostgreSQL and its files on an S3 server of this machine, both started here. Each run has an
empty warehouse, and the kinds alternate. Times are medians in seconds of the whole process, including Python's start;
CPU seconds leave out the servers. One worker runs steps in the run's process, more run each step in a process.
Records have undeclared fields, some have values of other types, and answers have side-loaded arrays.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path

from measuring import Measured, measured
from sandbox_process import sandbox

from crm_assets_tests.lake_servers import lake_servers

KEY = "benchmark"
WORLD = ("--now=2026-11-01T00:00:00+00:00", "--unknown-fields=5", "--odd-types=0.01", "--side-load", "--port=0")
WAREHOUSES = ("file", "lake")
DAGSTER = str(Path(sys.executable).with_name("dagster"))


def measure(warehouse: Mapping[str, str], base_url: str, workers: int) -> Measured:
    """Materializes everything once, in an empty warehouse."""
    command = [DAGSTER, "asset", "materialize", "-m", "crm_assets.definitions", "--select", "*"]
    if workers > 1:
        command += ["--config-json", json.dumps({"execution": {"config": {"max_concurrent": workers}}})]
    with tempfile.TemporaryDirectory() as name:
        environment = {
            **warehouse,
            "CRM_DATA_DIR": name,
            "CRM_EXECUTOR": "multiprocess" if workers > 1 else "in_process",
            "SOURCES__CRM__BASE_URL": base_url,
            "SOURCES__CRM__API_KEY": KEY,
        }
        return measured(command, environment, Path(name))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=40_000, help="records over the five lists")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 5], help="steps at a time")
    parser.add_argument("--latency", type=int, nargs="+", default=[0, 100], help="milliseconds a request")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each")
    options = parser.parse_args()
    print("| latency | workers | warehouse | seconds | of the file's | CPU s | peak MiB | load before |")
    print("| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
    with lake_servers() as servers:
        for latency, workers in product(options.latency, options.workers):
            with sandbox(KEY, f"--rows={options.rows}", f"--latency={latency}", *WORLD) as base_url:
                measure({}, base_url, 1)  # the sandbox renders its records
                load = os.getloadavg()[0]
                runs: dict[str, list[Measured]] = {kind: [] for kind in WAREHOUSES}
                for _ in range(options.repeat):
                    for kind in WAREHOUSES:
                        settings = servers.new_lake() if kind == "lake" else {}
                        runs[kind].append(measure(settings, base_url, workers))
            file = statistics.median(run.wall for run in runs["file"])
            for kind, made in runs.items():
                wall, cpu, peak = (
                    statistics.median(getattr(run, name) for run in made) for name in ("wall", "cpu", "peak")
                )
                print(
                    f"| {latency} ms | {workers} | {kind} | {wall:.1f} | {wall / file:.2f} | {cpu:.1f} | {peak:,.0f} "
                    f"| {load:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
