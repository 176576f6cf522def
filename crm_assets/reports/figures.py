"""The figures of the sales review, read from the marts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import duckdb

from crm_assets.api import ENDPOINTS

QUERIES = Path(__file__).with_name("sales_review")

TODAY = """
set variable taken_at = (
    select coalesce(max(taken_at) filter (where taken_at <= now() + interval 10 minute), max(taken_at))
    from marts.pipeline_health_daily
);
set variable today = (
    select max(snapshot_date)
    from marts.pipeline_health_daily
    where taken_at = getvariable('taken_at')
)
"""
"""The time of the latest build and its day, for the queries: `getvariable('taken_at')`, `getvariable('today')`. A build
whose clock was a year ahead is not the latest for a year."""

LISTS = f"set variable lists = {[*ENDPOINTS]}"
"""The lists of the API, for the query `reads`."""

CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ") | dict.fromkeys(
    [*range(0x202A, 0x202F), *range(0x2066, 0x206A)], ""
)
"""Control characters -> what a name has in their place. Some turn the rest of a sentence, with its figures, around."""

Row = Mapping[str, Any]
Rows = Sequence[Row]


SalesReview: TypeAlias = Mapping[str, Rows]
"""The figures: name of a query in `sales_review/` -> its rows. The first line of each query says what a row is. Amounts
are exact. The first row of `headline` has the time of the latest build, `taken_at`, and its day, `snapshot_date`."""


def queries() -> Mapping[str, str]:
    """The report's queries: name -> SQL, one for each part."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(QUERIES.glob("*.sql"))}


def read_figures(connection: duckdb.DuckDBPyConnection) -> SalesReview:
    """Reads the figures from the marts, all from the same state of the database.

    Raises:
        duckdb.CatalogException: The marts have not been built.
    """
    connection.execute("begin")
    try:
        connection.execute(f"{LISTS}; {TODAY}")
        return {name: rows(connection, sql) for name, sql in queries().items()}
    finally:
        connection.execute("rollback")


def last_reads(connection: duckdb.DuckDBPyConnection) -> Rows:
    """When the last complete read of each list began; None if there was none."""
    connection.execute(LISTS)
    return rows(connection, queries()["reads"])


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """The rows of a query, by names of columns, without control characters."""
    found = connection.execute(sql)
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, map(_plain, row), strict=True)) for row in found.fetchall()]


def _plain(value: Any) -> Any:
    return value.translate(CONTROLS) if isinstance(value, str) else value
