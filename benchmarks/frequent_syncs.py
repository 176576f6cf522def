"""Syncs one sorted list again and again, on a file and in a lake: what grows, as Markdown tables.

    PYTHONPATH=. .venv/bin/python benchmarks/frequent_syncs.py --syncs 60

The sandbox's clock goes on by a minute from one sync to the next, so an hour of one sync a minute takes as long as its
syncs do. Each is a run of its own in a process of its own. Both warehouses read the same records. The lake has its
catalog in PostgreSQL and its files in a folder. "rows of logs" are those of all tables of `raw`
but the lists; "rows of the catalog" are those of all of DuckLake's tables. At the end the lake's maintenance runs.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import psycopg
from measuring import measured

from crm_assets.api import ENDPOINTS
from crm_assets.sandbox.server import serving_sandbox
from crm_assets_tests.lake_servers import lake_servers

BIN = Path(sys.executable).parent
MODE = {"ops": {"raw__contacts": {"config": {"mode": "incremental"}}}}
SYNC = [str(BIN / "dagster"), "asset", "materialize", "-m", "crm_assets.definitions"]
SYNC += ["--select", 'key:"raw/contacts"', "--config-json", json.dumps(MODE)]
BEGIN = datetime(2026, 10, 1, 8, tzinfo=timezone.utc)
LOGS = "select table_name from duckdb_tables() where schema_name = 'raw' and database_name = current_database()"


def file_state(database: Path) -> str:
    """The cells of a file."""
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = {name for (name,) in connection.execute(LOGS).fetchall()} - ENDPOINTS.keys()
        rows = sum(connection.execute(f"select count(*) from raw.{name}").fetchall()[0][0] for name in tables)
    return f"{rows:,} | {database.stat().st_size / 2**20:.1f} | | | |"


def lake_state(warehouse: Mapping[str, str], files: Path) -> str:
    """The cells of a lake."""
    dsn = warehouse["CRM_WAREHOUSE"].removeprefix("ducklake:postgres:")
    with psycopg.connect(dsn) as session:
        tables = [name for (name,) in session.execute("select tablename from pg_tables where schemaname = 'public'")]
        rows = sum(session.execute(f'select count(*) from "{name}"').fetchall()[0][0] for name in tables)
        [[sessions]] = session.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        ).fetchall()
    sizes = [path.stat().st_size for path in files.rglob("*.parquet")]
    return f" | {sum(sizes) / 2**20:.1f} | {len(sizes):,} | {len(tables)} | {rows:,} | {sessions}"


def main() -> None:
    """Prints a line at the first and each tenth sync, and one after maintenance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--syncs", type=int, default=60, help="of each warehouse")
    parser.add_argument("--rows", type=int, default=20_000, help="records over the five lists")
    options = parser.parse_args()
    now = [BEGIN]
    print(
        "| syncs | warehouse | seconds | CPU s | rows of logs | MiB | files | catalog tables | their rows | sessions |"
    )
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    with ExitStack() as stack:
        servers = stack.enter_context(lake_servers())
        crm = stack.enter_context(serving_sandbox(rows=options.rows, now=lambda: now[0], unknown_fields=5))
        folders = {kind: Path(stack.enter_context(tempfile.TemporaryDirectory())) for kind in ("file", "lake")}
        lake = servers.new_lake() | {"CRM_WAREHOUSE_FILES": str(folders["lake"] / "files")}
        for number in range(1, options.syncs + 1):
            now[0] += timedelta(minutes=1)
            for kind, folder in folders.items():
                environment = {
                    **(lake if kind == "lake" else {}),
                    "CRM_DATA_DIR": str(folder),
                    "SOURCES__CRM__BASE_URL": crm.base_url,
                    "SOURCES__CRM__API_KEY": crm.api_key,
                }
                run = measured(SYNC, environment, folder)
                if number == 1 or number % 10 == 0:
                    state = lake_state(lake, folders["lake"]) if kind == "lake" else file_state(folder / "crm.duckdb")
                    print(f"| {number} | {kind} | {run.wall:.1f} | {run.cpu:.1f} | {state} |", flush=True)
        run = measured([str(BIN / "crm-assets"), "run", "lake_maintenance"], environment, folders["lake"])
        print(
            f"| maintenance | lake | {run.wall:.1f} | {run.cpu:.1f} | {lake_state(lake, folders['lake'])} |", flush=True
        )


if __name__ == "__main__":
    main()
