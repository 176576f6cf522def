"""Measures the CPU time of whole processes, Python's start included, as a Markdown table.

    PYTHONPATH=. .venv/bin/python benchmarks/whole_runs.py --repeat 3
    PYTHONPATH=. .venv/bin/python benchmarks/whole_runs.py --python .venv/bin/python ../before/.venv/bin/python

The second line alternates with another checkout. `crm_full_refresh` has an empty warehouse each time. The runs after it
find no change, and `crm-assets build --full-refresh` builds the same models without Dagster. The CRM is the sandbox, in
a process of its own. With `--lake` the warehouse is a lake with PostgreSQL and S3 servers of this machine.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from sandbox_process import sandbox

from crm_assets_tests.lake_servers import lake_servers

ROOT = Path(__file__).resolve().parent.parent
KEY = "benchmark"
COMMANDS: Mapping[str, Sequence[str]] = {
    "`crm_full_refresh`": ["-m", "crm_assets", "run", "crm_full_refresh"],
    "`crm_incremental`, no change": ["-m", "crm_assets", "run", "crm_incremental"],
    "`crm-assets build --full-refresh`": ["-m", "crm_assets", "build", "--full-refresh"],
    "`import crm_assets.definitions`": ["-c", "import crm_assets.definitions"],
}


def cpu_seconds(command: Sequence[str], environment: Mapping[str, str], checkout: Path) -> float:
    """User and system time of a process. Ends this process if the command fails."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, env=environment, cwd=checkout, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        if status != 0:
            output.seek(0)
            sys.exit(f"{command} failed:\n{output.read().decode(errors='replace')[-3000:]}")
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4_000, help="records over the five lists")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each")
    parser.add_argument("--python", nargs="+", default=[sys.executable], help="interpreters of checkouts")
    parser.add_argument("--lake", action="store_true", help="a lake instead of a file")
    options = parser.parse_args()
    measured: dict[tuple[str, str], list[float]] = {}
    world = (f"--rows={options.rows}", "--now=2026-11-01T00:00:00+00:00", "--port=0")
    with lake_servers() if options.lake else nullcontext() as servers, sandbox(KEY, *world) as base_url:
        for _ in range(options.repeat):
            for python in options.python:
                with tempfile.TemporaryDirectory() as name:
                    environment = {**os.environ, **(servers.new_lake() if servers else {}), "CRM_DATA_DIR": name}
                    environment |= {"DAGSTER_HOME": name, "SOURCES__CRM__BASE_URL": base_url}
                    environment |= {"SOURCES__CRM__API_KEY": KEY, "PYTHONPATH": ""}
                    absolute = Path(python).absolute()
                    checkout = absolute.parents[2]  # above .venv/bin
                    Path(name, "dagster.yaml").symlink_to(checkout / "dagster.yaml")
                    for label, command in COMMANDS.items():
                        seconds = cpu_seconds([str(absolute), *command], environment, checkout)
                        measured.setdefault((label, python), []).append(seconds)
    print(f"Load {os.getloadavg()[0]:.1f} at the end, {options.rows:,} records.\n")
    print("| process | python | CPU s, median | least | most |\n| --- | --- | ---: | ---: | ---: |")
    for label in COMMANDS:
        for python in options.python:
            found = measured[label, python]
            print(f"| {label} | {python} | {statistics.median(found):.1f} | {min(found):.1f} | {max(found):.1f} |")


if __name__ == "__main__":
    main()
