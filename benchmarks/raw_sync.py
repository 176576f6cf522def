"""Compares the time of a raw sync with that of plain dlt, against the sandbox, as a Markdown table.

    .venv/bin/python benchmarks/raw_sync.py --rows 40000 --latency 0 100 --repeat 3

The variants alternate, each in its own process with an empty database. Times are medians in seconds of the whole
process, including Python's start; "steps" is the time in Dagster's steps. Real CRMs have undeclared fields: the default
is to measure without any and with five per record.
"""

import argparse
import re
import statistics
import sys
import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path

from measuring import Measured, measured
from sandbox_process import sandbox

HERE = Path(__file__).resolve().parent
KEY = "benchmark"
NOW = "2026-11-01T00:00:00+00:00"
PAGES = ("crm_assets", "plain dlt, parquet", "plain dlt, defaults")


def commands(base_url: str, folder: Path) -> Mapping[str, list[str]]:
    """Variant -> command."""
    plain = [sys.executable, str(HERE / "plain_dlt.py"), base_url, KEY, str(folder / "plain.duckdb")]
    dagster = [str(Path(sys.executable).with_name("dagster")), "asset", "materialize", "-m", "crm_assets.definitions"]
    return {
        "crm_assets": [*dagster, "--select", "group:raw"],
        "plain dlt, parquet": [*plain, "parquet"],
        "plain dlt, defaults": plain,
    }


def measure(variant: str, base_url: str, in_flight: int) -> tuple[Measured, int]:
    """Runs one variant once. Returns its measurements and the number of requests."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {
            "CRM_DATA_DIR": name,
            "SOURCES__CRM__BASE_URL": base_url,
            "SOURCES__CRM__API_KEY": KEY,
            "SOURCES__CRM__MAX_IN_FLIGHT": str(in_flight),
            "DLT_DATA_DIR": name,
            "RUNTIME__DLTHUB_TELEMETRY": "false",
        }
        run = measured(commands(base_url, folder)[variant], environment, folder)
        sent = re.search(r"^requests (\d+)$", run.output, re.MULTILINE)
        return run, int(sent[1]) if sent else requests_logged(folder / "crm.duckdb")


def requests_logged(database: Path) -> int:
    """The requests in the sync log."""
    import duckdb

    with duckdb.connect(str(database), read_only=True) as connection:
        [[requests]] = connection.execute("select sum(requests) from raw.sync_log").fetchall()
    return int(requests)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[40_000], help="records over the five lists")
    parser.add_argument("--latency", type=int, nargs="+", default=[0], help="milliseconds a request")
    parser.add_argument(
        "--unknown-fields", type=int, nargs="+", default=[0, 5], help="undeclared fields of each record"
    )
    parser.add_argument(
        "--odd-types", type=float, default=0, metavar="SHARE", help="records with a value of another type"
    )
    parser.add_argument("--side-load", action="store_true", help="arrays before the records in every answer")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each variant")
    parser.add_argument("--in-flight", type=int, default=16, help="max_in_flight of crm_assets")
    parser.add_argument("--variants", nargs="+", choices=PAGES, default=PAGES, help="what to compare")
    options = parser.parse_args()
    print("| records | latency | unknown fields | variant | seconds | ratio | steps | CPU s | peak MiB | requests |")
    print("| ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for rows, latency, unknown in product(options.rows, options.latency, options.unknown_fields):
        world = [f"--rows={rows}", f"--now={NOW}", f"--latency={latency}", "--port=0"]
        world += [f"--unknown-fields={unknown}", f"--odd-types={options.odd_types}"]
        world += ["--side-load"] if options.side_load else []
        with sandbox(KEY, *world) as base_url:
            measure("crm_assets", base_url, options.in_flight)  # the sandbox renders its records
            runs: dict[str, list[tuple[Measured, int]]] = {variant: [] for variant in options.variants}
            for _ in range(options.repeat):
                for variant in options.variants:
                    runs[variant].append(measure(variant, base_url, options.in_flight))
        own = statistics.median(run.wall for run, _ in runs[options.variants[0]])
        for variant, made in runs.items():
            wall, cpu, peak = (
                statistics.median(getattr(run, field) for run, _ in made) for field in ("wall", "cpu", "peak")
            )
            took = [run.steps for run, _ in made if run.steps is not None]
            steps = f"{statistics.median(took):.1f}" if took else ""
            print(
                f"| {rows:,} | {latency} ms | {unknown} | {variant} | {wall:.1f} | {own / wall:.2f} | {steps} "
                f"| {cpu:.1f} | {peak:,.0f} | {made[0][1]:,} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
