"""Compares the time of building all models with that of dbt, as a Markdown table.

    make .venv-dbt/bin/dbt
    .venv/bin/python benchmarks/dbt_build.py --rows 40000 --repeat 5

The raw tables are loaded once, from the sandbox. Each process then builds all seeds, views, snapshots and tables in its
own copy, and runs their tests; then again without a change, and after a change of one contact. The variants alternate.
dbt has already parsed the project, as in daily work. Times are medians of whole processes.
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

import duckdb
from sandbox_process import sandbox

ROOT = Path(__file__).resolve().parent.parent
DBT = ROOT / ".venv-dbt" / "bin" / "dbt"
DAGSTER_DBT = DBT.with_name("dagster")
MATERIALIZE = [Path(sys.executable).with_name("dagster"), "asset", "materialize", "-m", "crm_assets.definitions"]
MODELS = " or ".join(f"group:{folder}" for folder in ("seeds", "staging", "snapshots", "marts"))
PROJECT = ROOT / "crm_assets" / "dbt"
KEY = "benchmark"
HOME, OWN_HOME = "dagster", "dagster_dbt"
"""Folders of Dagster; that of dagster-dbt has no dagster.yaml, whose class its environment does not have."""

CHANGES = ("everything", "nothing", "one contact")
NOW = "2026-11-01T00:00:00+00:00"

FOLDERS = ["--project-dir", PROJECT, "--profiles-dir", PROJECT]
BUILD = [DBT, "build", *FOLDERS]

# As a load that changed one contact would do.
CHANGE_A_CONTACT = """
update raw.contacts set job_title = 'changed' where id = (select min(id) from raw.contacts);
insert into raw.sync_changes
select * replace (_dlt_load_id || '1' as version, _dlt_load_id || '1' as _dlt_load_id, 1 as rows_changed)
from raw.sync_changes
where resource = 'contacts';
"""

COMMANDS: Mapping[str, Sequence[str | Path]] = {
    "`crm-assets build`": [sys.executable, "-m", "crm_assets", "build"],
    "`dbt build`": BUILD,
    "`dbt build --threads 4`": [*BUILD, "--threads", "4"],
    "`dagster asset materialize`": [*MATERIALIZE, "--select", MODELS],
    "`crm-assets run crm_incremental`, which also reads": [
        sys.executable,
        "-m",
        "crm_assets",
        "run",
        "crm_incremental",
    ],
    "`dagster asset materialize` with dagster-dbt": [
        *(DAGSTER_DBT, "asset", "materialize", "-f", "dagster_dbt_assets.py", "--select", "*")
    ],
}


def measure(command: Sequence[str | Path], folder: Path) -> tuple[float, float, float]:
    """Runs a command in `folder`. Returns seconds, CPU seconds and peak memory in MiB."""
    output = folder / "output"
    environment = {**os.environ, "CRM_DATA_DIR": str(folder), "DLT_DATA_DIR": str(folder)}
    environment |= {"DBT_TARGET_PATH": str(folder / "dbt"), "DBT_LOG_PATH": str(folder / "dbt")}
    environment["CRM_DBT_PROJECT"] = str(PROJECT)
    # What has not changed is left alone only if Dagster has shown it.
    environment["DAGSTER_HOME"] = str(folder / (OWN_HOME if command[0] == DAGSTER_DBT else HOME))
    started = time.monotonic()
    with output.open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    if status != 0:
        sys.exit(f"{command} failed:\n{output.read_text(errors='replace')[-3000:]}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def alternately(repeat: int, folder: Path) -> Mapping[tuple[str, str], list[tuple[float, float, float]]]:
    """Measures all variants in turn. Returns what has changed and variant -> measurements."""
    database, raw = folder / "crm.duckdb", folder / "raw.duckdb"
    for home in (HOME, OWN_HOME):
        (folder / home).mkdir()
    (folder / HOME / "dagster.yaml").symlink_to(ROOT / "dagster.yaml")
    measure([*MATERIALIZE, "--select", "group:raw"], folder)
    shutil.move(database, raw)
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "dbt.md").read_text(encoding="utf-8"), re.DOTALL)
    (folder / "dagster_dbt_assets.py").write_text(code, encoding="utf-8")
    measure([DBT, "parse", *FOLDERS], folder)
    commands = {variant: command for variant, command in COMMANDS.items() if Path(command[0]).exists()}
    measured: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for _ in range(repeat):
        for variant, command in commands.items():
            shutil.copy(raw, database)
            for change in CHANGES:
                if change == "one contact":
                    with duckdb.connect(str(database)) as connection:
                        connection.execute(CHANGE_A_CONTACT)
                measured.setdefault((change, variant), []).append(measure(command, folder))
    return measured


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=40_000, help="records over the five lists")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each variant")
    options = parser.parse_args()
    if not DBT.exists():
        sys.exit("dbt is not installed: make .venv-dbt/bin/dbt")
    with (
        tempfile.TemporaryDirectory() as name,
        sandbox(KEY, f"--rows={options.rows}", f"--now={NOW}", "--port=0") as base_url,
    ):
        os.environ.update({"SOURCES__CRM__BASE_URL": base_url, "SOURCES__CRM__API_KEY": KEY})
        measured = alternately(options.repeat, Path(name))
    print("| records | what has changed | variant | seconds | CPU s | peak MiB |")
    print("| ---: | --- | --- | ---: | ---: | ---: |")
    for change in CHANGES:
        for (of, variant), runs in measured.items():
            if of == change:
                wall, cpu, peak = (statistics.median(values) for values in zip(*runs, strict=True))
                print(f"| {options.rows:,} | {change} | {variant} | {wall:.1f} | {cpu:.1f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
