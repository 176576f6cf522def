"""The sandbox's records at two times, built as two reads would, and what the marts should then hold."""

import json
from collections import defaultdict
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import duckdb

from crm_assets.api import ENDPOINTS
from crm_assets.runner.unchanged import report_in
from crm_assets.sandbox.world import ACCOUNTS, APPOINTMENTS, CONTACTS, DEALS, TASKS, World
from crm_assets_tests.models.raw_tables import FIRST, SECOND, RawTables
from crm_assets_tests.models.reckoning import Record
from crm_assets_tests.models.recomputed.crm import FISCAL_YEAR_START, ZONE, Crm

# A list that is added to the project, as docs/adding_a_resource.md describes, is empty in the sandbox.
LISTS = dict(zip(ENDPOINTS, (ACCOUNTS, CONTACTS, DEALS, TASKS, APPOINTMENTS), strict=False))
READS = {
    FIRST: datetime(2026, 10, 2, 3, 30, tzinfo=timezone.utc),
    SECOND: datetime(2026, 11, 2, 4, 30, tzinfo=timezone.utc),
}
"""Late in the evening in New York, before and after the clocks change."""


def crm_at(world: World, now: datetime) -> Crm:
    world.move(int(now.timestamp()))
    lists: dict[str, list[Record]] = {}
    side_loaded: dict[str, dict[int, Record]] = defaultdict(dict)
    for name, resource in LISTS.items():
        lists[name] = []
        for page in range(1, 100):
            params = {"page": str(page), "per_page": "100", "include": ",".join(resource.includes)}
            answer = json.loads(world.answer(resource, params), parse_float=Decimal)
            lists[name] += answer.pop(resource.data_key)
            answer.pop("meta")
            for array, records in answer.items():
                side_loaded[array] |= {record["id"]: record for record in records}
            if len(lists[name]) < 100 * page:
                break
    return Crm(now, **lists, side_loaded=side_loaded)


def load(tables: RawTables, crm: Crm, load_id: str) -> None:
    """Puts the records into the raw tables, as a complete read does: rows that are not listed any more stay."""
    connection = tables.connection
    connection.execute(f"create or replace macro main.now() as timestamptz '{crm.now.isoformat()}'")
    connection.execute("delete from raw.side_loaded")
    for name in LISTS:
        records: list[Record] = getattr(crm, name)
        connection.execute(f"delete from raw.{name} where id in ?", [[record["id"] for record in records]])
        known = [column for column, *_ in connection.execute(f"describe raw.{name}").fetchall()]
        columns = {column: [text(record.get(column)) for record in records] for column in known}
        columns |= {"_dlt_load_id": [load_id] * len(records)}
        names = ", ".join(f'"{column}"' for column in columns)
        values = ", ".join("unnest(?)" for _ in columns)
        connection.execute(f"insert into raw.{name} ({names}) select {values}", list(columns.values()))
        tables.log(name, load_id)
    for array, named in crm.side_loaded.items():
        for record in named.values():
            tables.side_load(array, **record)


def text(value: Any) -> str | None:
    """A value as DuckDB casts it to a column's type."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, default=str) if isinstance(value, bool | list | dict) else str(value)


def build_states(connection: duckdb.DuckDBPyConnection) -> list[Crm]:
    """Loads and builds both states."""
    tables, world = RawTables(connection), World(1000, seed=3)
    report_in(connection, ZONE.key, FISCAL_YEAR_START)
    states = {load_id: crm_at(world, now) for load_id, now in READS.items()}
    for load_id, crm in states.items():
        load(tables, crm, load_id)
        tables.build()
    return [*states.values()]


def comparable(row: dict[str, Any]) -> str:
    """A row as a text in which equal values are written alike."""

    def written(value: Any) -> str:
        if isinstance(value, datetime):
            return value.astimezone(timezone.utc).isoformat()
        if isinstance(value, date | bool | str | None):
            return str(value)
        return f"{Decimal(str(value)).normalize():f}"

    return ", ".join(f"{key}: {written(row[key])}" for key in sorted(row))
