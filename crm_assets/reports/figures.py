"""The figures of the sales review, read from the marts and saved next to the page for comparison with the next one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

QUERIES = Path(__file__).with_name("sales_review")

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class SalesReview:
    """The figures of the sales review.

    Attributes:
        taken_at: When the marts were built, UTC.
        headline: Name of a number -> its value. Amounts are exact, here and below.
        revenue: `month`, `won_amount`, `won_deals`; the last 24 months, oldest first.
        backlog: `owner`, `age`, `open_tasks`; owners with the most tasks first.
        meetings: `week`, `meetings`; the last 26 weeks, oldest first.
        quiet_accounts: `account`, `owner`, `last_activity`, `days`, `won_amount`; the longest without contact first.
        definitions: `metric`, `definition`, as in docs/metrics.md.
    """

    taken_at: datetime
    headline: Mapping[str, int | Decimal]
    revenue: Rows
    backlog: Rows
    meetings: Rows
    quiet_accounts: Rows
    definitions: Rows


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
        parts = {name: _rows(connection, sql) for name, sql in queries().items()}
    finally:
        connection.execute("rollback")
    [headline] = parts.pop("headline")
    numbers = {name: value for name, value in headline.items() if name != "taken_at"}
    return SalesReview(taken_at=headline["taken_at"], headline=numbers, **parts)


@dataclass(frozen=True)
class Headline:
    """The numbers of a report, and the time of their figures."""

    taken_at: datetime
    numbers: Mapping[str, int | Decimal]


def headline_before(review: SalesReview, path: Path) -> Headline | None:
    """The numbers to compare with: those of the last report with other figures. None if there are none."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        drawn_again = datetime.fromisoformat(kept["taken_at"]) == review.taken_at
        before = kept["before"] if drawn_again else kept
        numbers = before and {name: Decimal(value) for name, value in before["numbers"].items()}
        return before and Headline(datetime.fromisoformat(before["taken_at"]), numbers)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError):
        return None


def headline_json(review: SalesReview, before: Headline | None) -> str:
    """JSON for the next report: `{"taken_at": …, "numbers": {"accounts": 120, …}, "before": {…}}`, amounts as texts."""
    kept = [
        headline and {"taken_at": headline.taken_at.isoformat(), "numbers": dict(headline.numbers)}
        for headline in (Headline(review.taken_at, review.headline), before)
    ]
    return json.dumps({**(kept[0] or {}), "before": kept[1]}, indent=2, default=str) + "\n"


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    found = connection.execute(sql)
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
