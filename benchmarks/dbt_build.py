"""Compares the time of building all models with that of dbt, as a Markdown table.

    make .venv-dbt/bin/dbt
    .venv/bin/python benchmarks/dbt_build.py --rows 40000 --repeat 5

The raw tables are loaded once, from the sandbox. Each process then builds all seeds, views, snapshots and tables in its
own copy, and runs their tests; then again without a change, and after a change of one contact. The variants alternate.
dbt has already parsed the project, as in daily work. Times are medians of whole processes.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
from measuring import CRM_ASSETS, MATERIALIZE, Measured, head, line, measured, medians, parser, sandbox, settings

ROOT = Path(__file__).resolve().parent.parent
DBT = ROOT / ".venv-dbt" / "bin" / "dbt"
DAGSTER_DBT = str(DBT.with_name("dagster"))
MODELS = " or ".join(f"group:{folder}" for folder in ("seeds", "staging", "snapshots", "marts"))
PROJECT = ROOT / "crm_assets" / "dbt"
CHANGES = ("everything", "nothing", "one contact")

# As a load that changed one contact would do.
CHANGE_A_CONTACT = """
update raw.contacts set job_title = 'changed' where id = (select min(id) from raw.contacts);
insert into raw.sync_changes
select * replace (_dlt_load_id || '1' as version, _dlt_load_id || '1' as _dlt_load_id, 1 as rows_changed)
from raw.sync_changes
where resource = 'contacts';
"""

FOLDERS = ("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT))
BUILD = (str(DBT), "build", *FOLDERS)
COMMANDS: Mapping[str, Sequence[str]] = {
    "`crm-assets build`": [*CRM_ASSETS, "build"],
    "`dbt build`": BUILD,
    "`dbt build --threads 4`": [*BUILD, "--threads", "4"],
    "`dagster asset materialize`": [*MATERIALIZE, MODELS],
    "`crm-assets run crm_incremental`, which also reads": [*CRM_ASSETS, "run", "crm_incremental"],
    "`dagster asset materialize` with dagster-dbt": [
        *(DAGSTER_DBT, "asset", "materialize", "-f", "dagster_dbt_assets.py", "--select", "*")
    ],
}


def alternately(repeat: int, base_url: str, folder: Path) -> Mapping[tuple[str, str], list[Measured]]:
    """Measures all variants in turn. Returns what has changed and variant -> measurements."""
    database, raw, home = folder / "crm.duckdb", folder / "raw.duckdb", folder / "dagster"
    home.mkdir()
    (home / "dagster.yaml").symlink_to(ROOT / "dagster.yaml")

    def run(command: Sequence[str]) -> Measured:
        environment = settings(base_url, folder) | {"DLT_DATA_DIR": str(folder), "CRM_DBT_PROJECT": str(PROJECT)}
        environment |= {"DBT_TARGET_PATH": str(folder / "dbt"), "DBT_LOG_PATH": str(folder / "dbt")}
        # What has not changed is left alone only if Dagster has shown it. dagster-dbt's environment does not have the
        # class that dagster.yaml names.
        own_home = home.with_name("dagster_dbt") if command[0] == DAGSTER_DBT else home
        own_home.mkdir(exist_ok=True)
        return measured(command, environment | {"DAGSTER_HOME": str(own_home)}, folder)

    run([*MATERIALIZE, "group:raw"])
    shutil.move(database, raw)
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "dbt.md").read_text(encoding="utf-8"), re.DOTALL)
    (folder / "dagster_dbt_assets.py").write_text(code, encoding="utf-8")
    run([str(DBT), "parse", *FOLDERS])
    runs: dict[tuple[str, str], list[Measured]] = {}
    for _ in range(repeat):
        for variant, command in COMMANDS.items():
            if not Path(command[0]).exists():
                continue
            shutil.copy(raw, database)
            for change in CHANGES:
                if change == "one contact":
                    with duckdb.connect(str(database)) as connection:
                        connection.execute(CHANGE_A_CONTACT)
                runs.setdefault((change, variant), []).append(run(command))
    return runs


def main() -> None:
    """Prints the table."""
    options = parser(__doc__)
    options.add_argument("--rows", type=int, default=40_000, help="records over the five lists")
    options.add_argument("--repeat", type=int, default=3, help="runs of each variant")
    given = options.parse_args()
    if not DBT.exists():
        sys.exit("dbt is not installed: make .venv-dbt/bin/dbt")
    with tempfile.TemporaryDirectory() as name, sandbox(f"--rows={given.rows}") as base_url:
        runs = alternately(given.repeat, base_url, Path(name))
    head("records:", "what has changed", "variant", "seconds:", "CPU s:", "peak MiB:")
    for change, variant in sorted(runs, key=lambda found: CHANGES.index(found[0])):
        wall, cpu, peak = medians(runs[change, variant])
        line(given.rows, change, variant, f"{wall:.1f}", f"{cpu:.1f}", f"{peak:.0f}")


if __name__ == "__main__":
    main()
