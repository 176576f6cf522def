"""Stores many old runs twice, deletes them as the daemon does, and shows sizes and times as a Markdown table.

    python benchmarks/retention.py --runs 10000

One read of the sandbox's accounts is run; the others are copies of all that Dagster has stored about it.
"""

import os
import shutil
import sqlite3
import tempfile
import time
import uuid
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType

from dagster import AssetKey, DagsterInstance

from crm_assets.automation.sensors import delete_runs_before
from crm_assets.definitions import defs

CHECKS = defs.resolve_asset_graph().asset_check_keys

SHARED: Mapping[str, Sequence[str]] = MappingProxyType(
    {"history/runs.db": ("runs", "run_tags"), "history/runs/index.db": ("event_logs", "asset_check_executions")}
)
"""Database of all runs -> its tables with rows of a run. The events of a run are in a database of its own as well."""


def main() -> None:
    """Runs the benchmark."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    count: int = parser.parse_args().runs
    print("| | runs | files | all, MB | index.db, MB | seconds | longest tick |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CRM_DATA_DIR"] = str(Path(folder, "data"))
        home = Path(folder, "home")
        home.mkdir()
        with DagsterInstance.local_temp(str(home)) as instance:
            for turn in ("first", "second"):
                copy_run(home, read(instance), [str(uuid.uuid4()) for _ in range(count)])
                read(instance)
                show(f"{turn} {count:,} runs", instance, home)
                ticks = delete_all(instance)
                show(f"{turn} deletion", instance, home, f"{sum(ticks):.0f}", f"{max(ticks):.1f}")
            show("a tick without old runs", instance, home, f"{sum(delete_all(instance)):.2f}")


def read(instance: DagsterInstance) -> str:
    """Runs a read, and returns the run's id."""
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(asset_selection=[AssetKey(["raw", "accounts"])], instance=instance).run_id


def copy_run(home: Path, original: str, copies: Sequence[str]) -> None:
    """Stores the same run under other ids."""
    for database, tables in SHARED.items():
        with closing(sqlite3.connect(home / database)) as connection, connection:
            for table in tables:
                copy_rows(connection, table, original, copies)
    folder = home / "history" / "runs"
    content = (folder / f"{original}.db").read_bytes()
    for copy in copies:
        # Ids have the same length, and the file has no other run's rows: the order of its index stays the same.
        (folder / f"{copy}.db").write_bytes(content.replace(original.encode(), copy.encode()))
        shutil.copytree(home / "storage" / original, home / "storage" / copy)


def copy_rows(connection: sqlite3.Connection, table: str, original: str, copies: Iterable[str]) -> None:
    """Copies the rows of a run, with the new id wherever the old one is."""
    columns = [name for _, name, *_ in connection.execute(f"pragma table_info({table})") if name != "id"]
    replaced = ", ".join(f"replace({column}, :original, :copy)" for column in columns)
    connection.executemany(
        f"insert into {table} ({', '.join(columns)}) select {replaced} from {table} where run_id = :original",
        [{"original": original, "copy": copy} for copy in copies],
    )


def delete_all(instance: DagsterInstance) -> list[float]:
    """Ticks until nothing is left to delete: the seconds that each took."""
    seconds, deleted = list[float](), 1
    while deleted:
        started = time.monotonic()
        deleted = delete_runs_before(instance, datetime.now(timezone.utc) + timedelta(days=1), CHECKS)
        seconds.append(time.monotonic() - started)
    return seconds


def show(what: str, instance: DagsterInstance, home: Path, seconds: str = "", longest: str = "") -> None:
    """Prints a line of the table."""
    files = [path.stat().st_size for path in home.rglob("*") if path.is_file()]
    index = (home / "history" / "runs" / "index.db").stat().st_size
    cells = (what, instance.get_runs_count(), len(files), sum(files) // 10**6, index // 10**6, seconds, longest)
    print("|", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main()
