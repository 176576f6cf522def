"""Syncs one sorted list again and again, on a file and in a lake: what grows, as Markdown tables.

    PYTHONPATH=. .venv/bin/python benchmarks/frequent_syncs.py --syncs 60

The sandbox's clock goes on by a minute from one sync to the next, so an hour of one sync a minute takes as long as its
syncs do. Each is a run of its own in a process of its own. Both warehouses read the same records. The lake has its
catalog in PostgreSQL and its files in a folder. "rows of logs" are those of all tables of `raw`
but the lists; "rows of the catalog" are those of all of DuckLake's tables. At the end the lake's maintenance runs.
"""

import json
import tempfile
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import psycopg
from lake_sizes import COLUMNS, sizes
from measuring import CRM_ASSETS, MATERIALIZE, head, line, measured, parser

from crm_assets.api import ENDPOINTS
from crm_assets.sandbox.server import serving_sandbox
from crm_assets_tests.lake_servers import dsn_of, lake_servers

MODE = {"ops": {"raw__contacts": {"config": {"mode": "incremental"}}}}
SYNC = [*MATERIALIZE, 'key:"raw/contacts"', "--config-json", json.dumps(MODE)]
BEGIN = datetime(2026, 10, 1, 8, tzinfo=timezone.utc)
LOGS = "select table_name from duckdb_tables() where schema_name = 'raw' and database_name = current_database()"
SESSIONS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


def file_state(database: Path) -> tuple[str | int, ...]:
    """The cells of a file."""
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = {name for (name,) in connection.execute(LOGS).fetchall()} - ENDPOINTS.keys()
        rows = sum(connection.execute(f"select count(*) from raw.{name}").fetchall()[0][0] for name in tables)
    return rows, "", "", "", f"{database.stat().st_size / 2**20:.1f}", ""


def main() -> None:
    """Prints a line at the first and each tenth sync, and one after maintenance."""
    options = parser(__doc__)
    options.add_argument("--syncs", type=int, default=60, help="of each warehouse")
    options.add_argument("--rows", type=int, default=20_000, help="records over the five lists")
    given = options.parse_args()
    now = [BEGIN]
    head("syncs:", "warehouse", "seconds:", "CPU s:", "rows of logs:", *COLUMNS, "sessions:")
    with ExitStack() as stack:
        servers = stack.enter_context(lake_servers())
        crm = stack.enter_context(serving_sandbox(rows=given.rows, now=lambda: now[0], unknown_fields=5))
        folders = {kind: Path(stack.enter_context(tempfile.TemporaryDirectory())) for kind in ("file", "lake")}
        files = folders["lake"] / "files"
        lake = servers.new_lake() | {"CRM_WAREHOUSE_FILES": str(files)}
        in_the_catalog = stack.enter_context(psycopg.connect(dsn_of(lake["CRM_WAREHOUSE"]), autocommit=True))

        def run(kind: str, label: str, command: list[str], *, shown: bool) -> None:
            environment = {"SOURCES__CRM__BASE_URL": crm.base_url, "SOURCES__CRM__API_KEY": crm.api_key}
            environment |= {"CRM_DATA_DIR": str(folders[kind]), **(lake if kind == "lake" else {})}
            made = measured(command, environment, folders[kind])
            if shown:
                [[sessions]] = in_the_catalog.execute(SESSIONS).fetchall()
                of_the_lake = ("", *sizes(lake, files), sessions)
                state = of_the_lake if kind == "lake" else file_state(folders[kind] / "crm.duckdb")
                line(label, kind, f"{made.wall:.1f}", f"{made.cpu:.1f}", *state)

        for number in range(1, given.syncs + 1):
            now[0] += timedelta(minutes=1)
            for kind in folders:
                run(kind, str(number), SYNC, shown=number == 1 or number % 10 == 0)
        run("lake", "maintenance", [*CRM_ASSETS, "run", "lake_maintenance"], shown=True)


if __name__ == "__main__":
    main()
