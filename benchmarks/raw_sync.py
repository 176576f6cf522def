"""Compares the time of a raw sync with that of plain dlt, against the sandbox, as a Markdown table.

    .venv/bin/python benchmarks/raw_sync.py --rows 40000 --latency 0 100 --repeat 3

The variants alternate, each in its own process with an empty database. Times are medians in seconds of the whole
process, including Python's start; "steps" is the time in Dagster's steps. Real CRMs have undeclared fields: the default
is to measure without any and with five per record.
"""

import re
import statistics
import sys
import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import duckdb
from measuring import MATERIALIZE, Measured, head, line, measured, medians, parser, sandbox, settings

VARIANTS: Mapping[str, list[str]] = {
    "crm_assets": [*MATERIALIZE, "group:raw"],
    "plain dlt, parquet": [sys.executable, str(Path(__file__).with_name("plain_dlt.py")), "parquet"],
    "plain dlt, defaults": [sys.executable, str(Path(__file__).with_name("plain_dlt.py"))],
}


def measure(variant: str, base_url: str, in_flight: int) -> tuple[Measured, int]:
    """Runs one variant once. Returns its measurements and the number of requests."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = settings(base_url, folder) | {
            "SOURCES__CRM__MAX_IN_FLIGHT": str(in_flight),
            "DLT_DATA_DIR": name,
            "RUNTIME__DLTHUB_TELEMETRY": "false",
        }
        run = measured(VARIANTS[variant], environment, folder)
        sent = re.search(r"^requests (\d+)$", run.output, re.MULTILINE)
        return run, int(sent[1]) if sent else requests_logged(folder / "crm.duckdb")


def requests_logged(database: Path) -> int:
    """The requests in the sync log."""
    with duckdb.connect(str(database), read_only=True) as connection:
        [[requests]] = connection.execute("select sum(requests) from raw.sync_log").fetchall()
    return int(requests)


def main() -> None:
    """Prints the table."""
    options = parser(__doc__)
    add = options.add_argument
    add("--rows", type=int, default=40_000, help="records over the five lists")
    add("--latency", type=int, nargs="+", default=[0], help="milliseconds a request")
    add("--unknown-fields", type=int, nargs="+", default=[0, 5], help="undeclared fields of each record")
    add("--odd-types", type=float, default=0, metavar="SHARE", help="records with a value of another type")
    add("--repeat", type=int, default=3, help="runs of each variant")
    add("--in-flight", type=int, default=16, help="max_in_flight of crm_assets")
    add("--variants", nargs="+", choices=VARIANTS, default=[*VARIANTS], help="what to compare")
    given = options.parse_args()
    numbers = ("seconds:", "ratio:", "steps:", "CPU s:", "peak MiB:", "requests:")
    head("records:", "latency:", "unknown fields:", "variant", *numbers)
    for latency, unknown in product(given.latency, given.unknown_fields):
        world = (f"--rows={given.rows}", f"--latency={latency}", f"--odd-types={given.odd_types}")
        with sandbox(*world, f"--unknown-fields={unknown}") as base_url:
            measure("crm_assets", base_url, given.in_flight)  # the sandbox renders its records
            made: dict[str, list[tuple[Measured, int]]] = {variant: [] for variant in given.variants}
            for _ in range(given.repeat):
                for variant, results in made.items():
                    results.append(measure(variant, base_url, given.in_flight))
        runs = {variant: [run for run, _ in results] for variant, results in made.items()}
        own, *_ = medians(runs[given.variants[0]])
        for variant, results in made.items():
            wall, cpu, peak = medians(runs[variant])
            took = [run.steps for run in runs[variant] if run.steps is not None]
            steps = f"{statistics.median(took):.1f}" if took else ""
            times = (f"{wall:.1f}", f"{own / wall:.2f}", steps, f"{cpu:.1f}")
            line(given.rows, f"{latency} ms", unknown, variant, *times, f"{peak:,.0f}", results[0][1])


if __name__ == "__main__":
    main()
