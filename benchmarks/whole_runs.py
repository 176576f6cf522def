"""Measures the CPU time of whole processes, Python's start included, as a Markdown table.

    PYTHONPATH=. .venv/bin/python benchmarks/whole_runs.py --repeat 3
    PYTHONPATH=. .venv/bin/python benchmarks/whole_runs.py --python .venv/bin/python ../before/.venv/bin/python

The second line alternates with another checkout. `crm_full_refresh` has an empty warehouse each time. The runs after it
find no change, and `crm-assets build --full-refresh` builds the same models without Dagster. The CRM is the sandbox, in
a process of its own. With `--lake` the warehouse is a lake with PostgreSQL and S3 servers of this machine.
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from itertools import product
from pathlib import Path

from measuring import head, line, measured, parser, sandbox, settings

from crm_assets_tests.lake_servers import lake_servers

COMMANDS: Mapping[str, Sequence[str]] = {
    "`crm_full_refresh`": ["-m", "crm_assets", "run", "crm_full_refresh"],
    "`crm_incremental`, no change": ["-m", "crm_assets", "run", "crm_incremental"],
    "`crm-assets build --full-refresh`": ["-m", "crm_assets", "build", "--full-refresh"],
    "`import crm_assets.definitions`": ["-c", "import crm_assets.definitions"],
}


def main() -> None:
    """Prints the table."""
    options = parser(__doc__)
    options.add_argument("--rows", type=int, default=4_000, help="records over the five lists")
    options.add_argument("--repeat", type=int, default=3, help="runs of each")
    options.add_argument("--python", nargs="+", default=[sys.executable], help="interpreters of checkouts")
    options.add_argument("--lake", action="store_true", help="a lake instead of a file")
    given = options.parse_args()
    seconds: dict[tuple[str, str], list[float]] = {}
    with lake_servers() if given.lake else nullcontext() as servers, sandbox(f"--rows={given.rows}") as base_url:
        for _, python in product(range(given.repeat), given.python):
            with tempfile.TemporaryDirectory() as name:
                absolute = Path(python).absolute()
                Path(name, "dagster.yaml").symlink_to(absolute.parents[2] / "dagster.yaml")  # above .venv/bin
                environment = settings(base_url, Path(name)) | {"DAGSTER_HOME": name, "PYTHONPATH": ""}
                environment |= servers.new_lake() if servers else {}
                for label, command in COMMANDS.items():
                    run = measured([str(absolute), *command], environment, Path(name))
                    seconds.setdefault((label, python), []).append(run.cpu)
    print(f"Load {os.getloadavg()[0]:.1f} at the end, {given.rows:,} records.\n")
    head("process", "python", "CPU s, median:", "least:", "most:")
    for label, python in product(COMMANDS, given.python):
        found = seconds[label, python]
        line(label, python, *(f"{cpu:.1f}" for cpu in (statistics.median(found), min(found), max(found))))


if __name__ == "__main__":
    main()
