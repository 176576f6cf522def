"""Builds all models over millions of raw rows with a memory limit, in a process of its own, as Markdown tables.

    .venv/bin/python benchmarks/large_models.py --records 20000000 --memory-limit 4GiB

The sandbox's 40,000 records, with links, side-loaded arrays, undeclared fields and odd types, are read by a run. Copies
with other ids, names and owners make the raw tables large, in the same proportions. All models are built, then a
hundredth of the rows of each raw table changes, and they are built again: snapshots and incremental models now have
earlier rows. "spilled" is the most that DuckDB's temporary files took, measured five times a second.
"""

import json
import re
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import duckdb
from measuring import (
    CRM_ASSETS,
    MATERIALIZE,
    UNUSUAL,
    Measured,
    head,
    line,
    measured,
    parser,
    sandbox,
    settings,
)

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
    with sandbox("--rows=40000", *UNUSUAL) as base_url:
        environment = settings(base_url, data) | {"SOURCES__CRM__ENDPOINTS": json.dumps(endpoints)}
        measured([*MATERIALIZE, "group:raw"], environment, data)


def multiply(database: Path, copies: int) -> None:
    """Adds copies of the records to the raw tables."""
    with duckdb.connect(str(database), config={"memory_limit": "4GiB"}) as connection:
        connection.execute("set preserve_insertion_order = false")
        head("table", "rows:")
        for table in INCLUDES:
            columns = [name for name, *_ in connection.execute(f"describe raw.{table}").fetchall()]
            expressions = ", ".join(filter(None, map(replaced, columns)))
            connection.execute(PER_RESOURCE.format(table=table, replaced=expressions, copies=copies))
            [[rows]] = connection.execute(f"select count(*) from raw.{table}").fetchall()
            line(table, rows)
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
        environment = settings("http://127.0.0.1:9", data) | {"CRM_MEMORY_LIMIT": memory_limit}
        return measured([*CRM_ASSETS, "build"], environment, data), max(spilled)
    finally:
        ended.set()
        thread.join()


def main() -> None:
    """Prints the tables."""
    options = parser(__doc__)
    options.add_argument("--records", type=int, default=20_000_000, help="raw rows in all")
    options.add_argument("--memory-limit", default="4GiB", help="CRM_MEMORY_LIMIT of the build")
    given = options.parse_args()
    found = re.compile(r"^(\S+): ([\d,]+) rows, .* tests, ([\d.]+) s$", re.MULTILINE)
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        database = data / "crm.duckdb"
        read(data)
        multiply(database, given.records // 40_000)
        for title in ("first", "after changes"):
            run, spilled = build(data, given.memory_limit)
            head(f"model, {title}", "rows:", "seconds:")
            for built in found.findall(run.output):
                line(*built)
            print()
            head("build", "seconds:", "CPU s:", "peak GiB:", "spilled GB:", "file GB:")
            sizes = (f"{run.peak / 1024:.2f}", f"{spilled / 1e9:.2f}", f"{database.stat().st_size / 1e9:.1f}")
            line(title, f"{run.wall:,.0f}", f"{run.cpu:,.0f}", *sizes)
            print(flush=True)
            change(database)


if __name__ == "__main__":
    main()
