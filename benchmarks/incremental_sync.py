"""Measures the requests of a sync after few changes, as a Markdown table.

    .venv/bin/python benchmarks/incremental_sync.py --rows 40000 --minutes 5

Reads the sandbox in full, advances its clock by some minutes, and reads it incrementally. A full read into another
database then shows whether a record is missing or differs, and in which columns.
"""

import json
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
from measuring import MATERIALIZE, head, line, measured, parser, sandbox, settings

NOON = datetime(2026, 11, 2, 12, tzinfo=timezone.utc)
RESOURCES = ("accounts", "contacts", "won_deals", "open_tasks", "past_appointments")


def sync(base_url: str, data_dir: Path, mode: str) -> None:
    """Materializes the raw assets."""
    config = {"ops": {f"raw__{resource}": {"config": {"mode": mode}} for resource in RESOURCES}}
    data_dir.mkdir(exist_ok=True)
    command = [*MATERIALIZE, "group:raw", "--config-json", json.dumps(config)]
    measured(command, settings(base_url, data_dir), data_dir)


def compared(synced: Path, full: Path, changed_since: datetime) -> Iterator[tuple[str | int, ...]]:
    """A row per resource: records, changed ones, mode, requests of both syncs, missing records, different columns."""
    with duckdb.connect(str(synced), read_only=True) as connection:
        connection.execute(f"attach '{full}' as other (read_only)")
        for resource in RESOURCES:
            [[records, changed]] = connection.execute(
                f"select count(*), count(*) filter (updated_at > ?) from other.raw.{resource}", [changed_since]
            ).fetchall()
            [(_, before), (mode, after)] = connection.execute(
                "select mode, requests from raw.sync_log where resource = ? order by _dlt_load_id", [resource]
            ).fetchall()
            [[missing]] = connection.execute(
                f"select count(*) from other.raw.{resource} where id not in (select id from raw.{resource})"
            ).fetchall()
            differing = [
                name
                for (name, *_) in connection.execute(f"describe raw.{resource}").fetchall()
                if not name.startswith("_dlt_")
                and connection.execute(
                    f"select 1 from raw.{resource} as a join other.raw.{resource} as b using (id) "
                    f"where a.{name} is distinct from b.{name} limit 1"
                ).fetchone()
            ]
            yield resource, records, changed, mode, before, after, missing, ", ".join(differing) or "none"


def main() -> None:
    """Prints the table."""
    options = parser(__doc__)
    options.add_argument("--rows", type=int, default=40_000, help="records over the five lists")
    options.add_argument("--minutes", type=float, default=5, help="time between the two syncs")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        synced, full = Path(name, "synced"), Path(name, "full")
        later = NOON + timedelta(minutes=given.minutes)
        with sandbox(f"--rows={given.rows}", f"--now={NOON.isoformat()}") as base_url:
            sync(base_url, synced, "full")
        # The same address: at another one, reads would refuse what may be another CRM.
        port = urlsplit(base_url).port
        with sandbox(f"--rows={given.rows}", f"--now={later.isoformat()}", f"--port={port}") as base_url:
            sync(base_url, synced, "incremental")
            sync(base_url, full, "full")
        requests = ("requests before:", "requests after:")
        head("resource", "records:", "changed:", "mode", *requests, "missing:", "columns that differ")
        for row in compared(synced / "crm.duckdb", full / "crm.duckdb", NOON):
            line(*row)


if __name__ == "__main__":
    main()
