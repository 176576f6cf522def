"""Builds all models over millions of raw rows with a memory limit, in a process of its own, as Markdown tables.

    .venv/bin/python benchmarks/large_models.py --records 20000000 --memory-limit 4GiB

The sandbox's 40,000 records, with links, side-loaded arrays, undeclared fields and odd types, are read by a run. Copies
with other ids, names and owners make the raw tables large, in the same proportions. All models are built, then a
hundredth of the rows of each raw table changes, and they are built again: snapshots and incremental models now have
earlier rows. "spilled" is the most that DuckDB's temporary files took, measured five times a second.
"""

import argparse
import json
import re
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import duckdb
from measuring import Measured, measured
from sandbox_process import sandbox

KEY = "benchmark"
WORLD = ("--now=2026-11-01T00:00:00+00:00", "--unknown-fields=5", "--odd-types=0.01", "--side-load", "--port=0")
BIN = Path(sys.executable).parent
INCLUDES = {
    "accounts": "owner",
    "contacts": "sales_accounts,owner",
    "won_deals": "sales_account,owner,deal_stage",
    "open_tasks": "owner",
    "past_appointments": "creater",
}
CHANGED = dict(zip(INCLUDES, ("name", "display_name", "name", "title", "title"), strict=True))
"""Table -> the column that changes."""
IDS = ("id", "sales_account_id", "parent_sales_account_id", "targetable_id")
USERS = ("owner_id", "creater_id", "updater_id")
NAMES = ("name", "display_name", "last_name", "title", "email")
JSON_IDS = ("targetables", "sales_accounts", "links", "emails")
TEAMS = 30
"""Copies of the sandbox's users."""

IN_JSON = (
    r"""regexp_replace({column}, '([^0-9])(\d{{15}})([^0-9])', '\1\2' || lpad(copy::varchar, 4, '0') || '\3', 'g')"""
)
PER_RESOURCE = """
insert into raw.{table} by name
select base.* replace ({replaced}) from raw.{table} as base cross join range(1, {copies}) as copies (copy)
"""
USERS_AGAIN = """
insert into raw.side_loaded by name
select
    base.* replace (
        id + copy * 100000 as id,
        json_merge_patch(record, json_object('id', id + copy * 100000)) as record
    )
from raw.side_loaded as base cross join range(1, {teams}) as copies (copy)
where array_name = 'users'
"""


def replaced(column: str) -> str | None:
    """The expression for a column's value in a copy; None if it stays."""
    made = {name: f"{name} * 10000 + copy" for name in IDS}
    made |= {name: f"{name} + copy % {TEAMS} * 100000" for name in USERS}
    made |= {name: f"{name} || ' ' || copy" for name in NAMES}
    made |= {name: f"{IN_JSON.format(column=name)}::json" for name in JSON_IDS}
    made |= {"_dlt_id": "_dlt_id || copy", "mcr_id": "mcr_id + copy"}
    return f"{made[column]} as {column}" if column in made else None


def read(data: Path) -> None:
    """Reads the sandbox."""
    endpoints = {name: {"params": {"include": include}} for name, include in INCLUDES.items()}
    with sandbox(KEY, "--rows=40000", *WORLD) as base_url:
        environment = {
            "CRM_DATA_DIR": str(data),
            "SOURCES__CRM__BASE_URL": base_url,
            "SOURCES__CRM__API_KEY": KEY,
            "SOURCES__CRM__ENDPOINTS": json.dumps(endpoints),
        }
        command = [str(BIN / "dagster"), "asset", "materialize", "-m", "crm_assets.definitions"]
        measured([*command, "--select", "group:raw"], environment, data)


def multiply(database: Path, copies: int) -> None:
    """Adds copies of the records to the raw tables."""
    with duckdb.connect(str(database), config={"memory_limit": "4GiB"}) as connection:
        connection.execute("set preserve_insertion_order = false")
        print("| table | rows |\n| --- | ---: |")
        for table in INCLUDES:
            columns = [name for name, *_ in connection.execute(f"describe raw.{table}").fetchall()]
            expressions = ", ".join(filter(None, map(replaced, columns)))
            connection.execute(PER_RESOURCE.format(table=table, replaced=expressions, copies=copies))
            [[rows]] = connection.execute(f"select count(*) from raw.{table}").fetchall()
            print(f"| {table} | {rows:,} |", flush=True)
        connection.execute(USERS_AGAIN.format(teams=TEAMS))
    print(f"\nThe raw tables take {database.stat().st_size / 1e9:.1f} GB.\n", flush=True)


def change(database: Path) -> None:
    """Changes a hundredth of the rows, as a load would."""
    with duckdb.connect(str(database), config={"memory_limit": "4GiB"}) as connection:
        for table, column in CHANGED.items():
            connection.execute(
                f"update raw.{table} set {column} = {column} || '.', updated_at = now() where hash(id) % 100 = 0"
            )
            # A new version of the input, so that models that read it are built again.
            connection.execute("update raw.sync_changes set version = version || '+' where resource = ?", [table])


def size(folder: Path) -> int:
    """The bytes that the files of a folder take."""
    taken = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # removed meanwhile
            taken += path.stat().st_blocks * 512
    return taken


def build(data: Path, memory_limit: str) -> tuple[Measured, int]:
    """Builds all models. Returns the measurements and the bytes that were spilled at most."""
    spilled, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            spilled.append(size(data / "pipelines"))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        environment = {"CRM_DATA_DIR": str(data), "CRM_MEMORY_LIMIT": memory_limit}
        environment |= {"SOURCES__CRM__BASE_URL": "http://127.0.0.1:9", "SOURCES__CRM__API_KEY": KEY}
        return measured([str(BIN / "crm-assets"), "build"], environment, data), max(spilled)
    finally:
        ended.set()
        thread.join()


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000_000, help="raw rows in all")
    parser.add_argument("--memory-limit", default="4GiB", help="CRM_MEMORY_LIMIT of the build")
    options = parser.parse_args()
    found = re.compile(r"^(\S+): ([\d,]+) rows, .* tests, ([\d.]+) s$", re.MULTILINE)
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        read(data)
        multiply(data / "crm.duckdb", options.records // 40_000)
        for title in ("first", "after changes"):
            run, spilled = build(data, options.memory_limit)
            print(f"| model, {title} | rows | seconds |\n| --- | ---: | ---: |")
            for model, rows, seconds in found.findall(run.output):
                print(f"| {model} | {rows} | {seconds} |")
            print(
                "\n| build | seconds | CPU s | peak GiB | spilled GB | file GB |"
                "\n| --- | ---: | ---: | ---: | ---: | ---: |"
            )
            size_now = (data / "crm.duckdb").stat().st_size
            print(
                f"| {title} | {run.wall:,.0f} | {run.cpu:,.0f} | {run.peak / 1024:.2f} | {spilled / 1e9:.2f} "
                f"| {size_now / 1e9:.1f} |\n",
                flush=True,
            )
            change(data / "crm.duckdb")


if __name__ == "__main__":
    main()
