"""The figures of the sales review: how they are read from the marts, and how they are written.

They are written as in English, since the page is in English, with halves rounded up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import duckdb

from crm_assets.api import ENDPOINTS
from crm_assets.warehouse.tables import statements_of
from crm_assets.warehouse.transactions import reading

SQL = statements_of(__file__)

QUERIES = Path(__file__).with_name("sales_review")

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
    with reading(connection):
        connection.execute(f"{LISTS}; {SQL['today']}")
        return {name: _rows(connection, sql) for name, sql in queries().items()}


def last_reads(connection: duckdb.DuckDBPyConnection) -> Rows:
    """When the last complete read of each list began; None if there was none."""
    connection.execute(LISTS)
    return _rows(connection, queries()["reads"])


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> Rows:
    """The rows of a query, by names of columns, without control characters."""
    found = connection.execute(sql)
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, map(_plain, row), strict=True)) for row in found.fetchall()]


def _plain(value: Any) -> Any:
    return value.translate(CONTROLS) if isinstance(value, str) else value


NOT_KNOWN = "–"  # noqa: RUF001

SYMBOLS = {"EUR": "€", "GBP": "£", "INR": "₹", "JPY": "¥", "KRW": "₩", "USD": "$"}
"""Currencies that are written with a symbol. Others have their code, since several share one symbol."""

EXACT = Context(prec=60)
"""Sums of amounts have up to 38 digits, ten more than Decimal's operators keep."""


def half_up(value: Decimal | int) -> Decimal:
    """A figure as a whole number, never -0."""
    return EXACT.add(Decimal(value).to_integral_value(ROUND_HALF_UP), Decimal(0))


def ratio(part: Decimal | int, whole: Decimal | int | None) -> Decimal | None:
    """A part as a share of the whole, 1 if it is all of it; None unless the whole is above zero."""
    return EXACT.divide(Decimal(part), Decimal(whole)) if whole and whole > 0 else None


@dataclass(frozen=True)
class Formats:
    """The formats of one page. Each method but `money` is the format of a kind of column.

    Attributes:
        zone: The reporting time zone.
        currency: An ISO 4217 code; None if no currency is to be named.
    """

    zone: ZoneInfo
    currency: str | None

    def money(self, amount: Decimal | int) -> str:
        """An amount with the currency, as in sentences."""
        unit = SYMBOLS.get(self.currency or "", f"{self.currency}\N{NO-BREAK SPACE}" if self.currency else "")
        whole = half_up(amount)
        return f"{'-' if whole < 0 else ''}{unit}{whole.copy_abs():,.0f}"

    def amount(self, amount: Decimal | int | None) -> str:
        """An amount in a table whose note names the currency."""
        return NOT_KNOWN if amount is None else f"{half_up(amount):,.0f}"

    def count(self, number: int | None) -> str:
        """A number of things."""
        return NOT_KNOWN if number is None else f"{number:,}"

    def share(self, share: Decimal | None) -> str:
        """A share of 1, as a percentage."""
        return NOT_KNOWN if share is None else f"{half_up(EXACT.multiply(share, Decimal(100))):,.0f}%"

    def change(self, change: Decimal | int | None) -> str:
        """The change of a number or an amount."""
        return NOT_KNOWN if change is None else f"{half_up(change):+,.0f}" if half_up(change) else "no change"

    def day(self, day: date | str | None) -> str:
        """A day such as 5 March 2026. One before the year 1 is a text from DuckDB, and stays as it is."""
        # Of 0001-01-01T00:00:00Z, which some APIs send for no time, the day in a zone west of Greenwich.
        return NOT_KNOWN if day is None else day if isinstance(day, str) else f"{day.day} {day:%B %Y}"

    def month(self, day: date) -> str:
        """A month such as Mar 2026."""
        return f"{day:%b %Y}"

    def week(self, day: date) -> str:
        """The first day of a week of this year or the last, such as 5 Mar."""
        return f"{day.day} {day:%b}"

    def quarter(self, day: date) -> str:
        """A quarter such as 2026 Q1."""
        return f"{day.year} Q{(day.month + 2) // 3}"

    def instant(self, instant: datetime | None) -> str:
        """A time such as 5 March 2026, 14:05, in the reporting time zone."""
        if instant is None:
            return "never"
        local = instant.astimezone(self.zone)
        return f"{self.day(local)}, {local:%H:%M}"

    def text(self, text: str | None) -> str:
        """A name or a word."""
        return "(no name)" if text is None else text
