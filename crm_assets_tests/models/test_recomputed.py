"""All columns of all marts on the sandbox's records, against a count in plain Python."""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from crm_assets.runner.variables import report_in
from crm_assets.sandbox.world import ACCOUNTS, APPOINTMENTS, CONTACTS, DEALS, TASKS, World
from crm_assets_tests.models.raw_tables import FIRST, RawTables, models
from crm_assets_tests.models.recomputed import FISCAL_YEAR_START, ZONE, Crm, Record, parsed, recomputed

LISTS = {
    "accounts": ACCOUNTS,
    "contacts": CONTACTS,
    "won_deals": DEALS,
    "open_tasks": TASKS,
    "past_appointments": APPOINTMENTS,
}
BUILDS = [datetime(2026, 10, 2, 3, 30, tzinfo=timezone.utc), datetime(2026, 11, 2, 4, 30, tzinfo=timezone.utc)]
"""Late in the evening in New York, before and after the clocks change."""

MARTS = sorted(address.removeprefix("marts.") for address in models() if address.startswith("marts."))


def crm_at(world: World, now: datetime) -> Crm:
    world.move(int(now.timestamp()))
    lists: dict[str, list[Record]] = {}
    side_loaded: dict[str, dict[int, Record]] = defaultdict(dict)
    for name, resource in LISTS.items():
        lists[name] = []
        for page in range(1, 100):
            params = {"page": str(page), "per_page": "100", "include": ",".join(resource.includes)}
            answer = parsed(world.answer(resource, params))
            lists[name] += answer.pop(resource.data_key)
            answer.pop("meta")
            for array, records in answer.items():
                side_loaded[array] |= {record["id"]: record for record in records}
            if len(lists[name]) < 100 * page:
                break
    return Crm(now, **lists, side_loaded=side_loaded)


def load(tables: RawTables, crm: Crm) -> None:
    """Puts the records into the raw tables, in place of those before."""
    connection = tables.connection
    connection.execute(f"create or replace macro main.now() as timestamptz '{crm.now.isoformat()}'")
    connection.execute("delete from raw.side_loaded")
    for name in LISTS:
        connection.execute(f"delete from raw.{name}")
        records: list[Record] = getattr(crm, name)
        known = [column for column, *_ in connection.execute(f"describe raw.{name}").fetchall()]
        columns = {column: [text(record.get(column)) for record in records] for column in known}
        columns |= {"_dlt_load_id": [FIRST] * len(records)}
        names = ", ".join(f'"{column}"' for column in columns)
        values = ", ".join("unnest(?)" for _ in columns)
        connection.execute(f"insert into raw.{name} ({names}) select {values}", list(columns.values()))
    for array, named in crm.side_loaded.items():
        for record in named.values():
            tables.side_load(array, **record)


def text(value: Any) -> str | None:
    """A value as DuckDB casts it to a column's type."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, default=str) if isinstance(value, bool | list | dict) else str(value)


@pytest.fixture(scope="module")
def built() -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, list[Record]]]]:
    """The marts after two builds, and what they should hold."""
    with duckdb.connect() as connection:
        tables, world = RawTables(connection), World(1000, seed=3)
        report_in(connection, ZONE.key, FISCAL_YEAR_START)
        states = [crm_at(world, now) for now in BUILDS]
        for crm in states:
            load(tables, crm)
            tables.build()
        yield connection, recomputed(*states)


@pytest.mark.slow
@pytest.mark.file
@pytest.mark.parametrize("mart", MARTS)
def test_all_columns_are_those_of_a_count_in_python(
    built: tuple[duckdb.DuckDBPyConnection, dict[str, list[Record]]], mart: str
) -> None:
    connection, expected = built
    found = connection.execute(f"from marts.{mart}").fetch_arrow_table().to_pylist()
    found = [row for row in found if row.get("check_name") != "fields that are not declared"]

    assert {*found[0]} == {*expected[mart][0]}
    assert sorted(map(comparable, found)) == sorted(map(comparable, expected[mart]))


def comparable(row: dict[str, Any]) -> str:
    """A row as a text in which equal values are written alike."""

    def written(value: Any) -> str:
        if isinstance(value, datetime):
            return value.astimezone(timezone.utc).isoformat()
        if isinstance(value, date | bool | str | None):
            return str(value)
        return f"{Decimal(str(value)).normalize():f}"

    return ", ".join(f"{key}: {written(row[key])}" for key in sorted(row))
