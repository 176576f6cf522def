"""Compares the time of building all models with that of dbt, as a Markdown table.

    make .venv-dbt/bin/dbt
    .venv/bin/python benchmarks/dbt_build.py --rows 40000 --repeat 5

The raw tables are loaded once, from the sandbox. Each process then builds all seeds, views, snapshots and tables in its
own copy, and runs their tests. The variants alternate. dbt has already parsed the project, as in daily work. Times are
medians of whole processes.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox_process import sandbox

ROOT = Path(__file__).resolve().parent.parent
DBT = ROOT / ".venv-dbt" / "bin" / "dbt"
DAGSTER_DBT = DBT.with_name("dagster")
MATERIALIZE = [Path(sys.executable).with_name("dagster"), "asset", "materialize", "-m", "crm_assets.definitions"]
MODELS = " or ".join(f"group:{folder}" for folder in ("seeds", "staging", "snapshots", "marts"))
PROJECT = ROOT / "crm_assets" / "dbt"
KEY = "benchmark"
NOW = "2026-11-01T00:00:00+00:00"

FOLDERS = ["--project-dir", PROJECT, "--profiles-dir", PROJECT]
BUILD = [DBT, "build", *FOLDERS]

COMMANDS: Mapping[str, Sequence[str | Path]] = {
    "`python -m crm_assets build`": [sys.executable, "-m", "crm_assets", "build"],
    "`dbt build`": BUILD,
    "`dbt build --threads 4`": [*BUILD, "--threads", "4"],
    "`dagster asset materialize`": [*MATERIALIZE, "--select", MODELS],
    "the same with dagster-dbt": [
        *(DAGSTER_DBT, "asset", "materialize", "-f", "dagster_dbt_assets.py", "--select", "*")
    ],
}


def measure(command: Sequence[str | Path], folder: Path) -> tuple[float, float, float]:
    """Runs a command in `folder`. Returns seconds, CPU seconds and peak memory in MiB."""
    output = folder / "output"
    environment = {**os.environ, "CRM_DATA_DIR": str(folder), "DLT_DATA_DIR": str(folder)}
    environment |= {"DBT_TARGET_PATH": str(folder / "dbt"), "DBT_LOG_PATH": str(folder / "dbt")}
    environment["CRM_DBT_PROJECT"] = str(PROJECT)
    environment["PATH"] = f"{DBT.parent}:{environment['PATH']}"  # dagster-dbt looks for dbt there
    environment.pop("DAGSTER_HOME", None)
    started = time.monotonic()
    with output.open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    if status != 0:
        sys.exit(f"{command} failed:\n{output.read_text(errors='replace')[-3000:]}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=40_000, help="records over the five lists")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each variant")
    options = parser.parse_args()
    if not DBT.exists():
        sys.exit("dbt is not installed: make .venv-dbt/bin/dbt")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database, raw = folder / "crm.duckdb", folder / "raw.duckdb"
        with sandbox(KEY, f"--rows={options.rows}", f"--now={NOW}", "--port=0") as base_url:
            os.environ.update({"SOURCES__CRM__BASE_URL": base_url, "SOURCES__CRM__API_KEY": KEY})
            measure([*MATERIALIZE, "--select", "group:raw"], folder)
        shutil.move(database, raw)
        [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "dbt.md").read_text(encoding="utf-8"), re.DOTALL)
        (folder / "dagster_dbt_assets.py").write_text(code, encoding="utf-8")
        measure([DBT, "parse", *FOLDERS], folder)
        commands = {variant: command for variant, command in COMMANDS.items() if Path(command[0]).exists()}
        measured: dict[str, list[tuple[float, float, float]]] = {variant: [] for variant in commands}
        for _ in range(options.repeat):
            for variant, command in commands.items():
                shutil.copy(raw, database)
                measured[variant].append(measure(command, folder))
    print("| records | variant | seconds | ratio | CPU s | peak MiB |")
    print("| ---: | --- | ---: | ---: | ---: | ---: |")
    own = None
    for variant, runs in measured.items():
        wall, cpu, peak = (statistics.median(values) for values in zip(*runs, strict=True))
        own = own or wall
        print(f"| {options.rows:,} | {variant} | {wall:.1f} | {own / wall:.2f} | {cpu:.1f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
