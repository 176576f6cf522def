"""How the report writes figures: as English does, since the page is in English, with halves rounded up."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from zoneinfo import ZoneInfo

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
