"""Sums, shares and dates in plain Python, for what figures should be."""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Record = dict[str, Any]


def half_up(value: float | Decimal, digits: int = 0) -> Decimal:
    return Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def share(part: float | Decimal, whole: float | Decimal | None, digits: int = 4) -> Decimal | None:
    return half_up(Decimal(part) / Decimal(whole), digits) if whole else None


def total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def days_between(first: date | None, last: date | None) -> int | None:
    return (last - first).days if first and last else None


def months_later(found: date, months: int = 1) -> date:
    """The same day of a later or earlier month, or its last one."""
    year, month = divmod(found.year * 12 + found.month - 1 + months, 12)
    return date(year, month + 1, min(found.day, monthrange(year, month + 1)[1]))


def quarter_of(found: date) -> date:
    return date(found.year, (found.month - 1) // 3 * 3 + 1, 1)


def fiscal_year_from(found: date, first_month: int) -> date:
    return date(found.year - (found.month < first_month), first_month, 1)


def grouped(rows: Iterable[Record], *keys: str) -> dict[Any, list[Record]]:
    found = defaultdict(list)
    for row in rows:
        found[tuple(row[key] for key in keys) if len(keys) > 1 else row[keys[0]]].append(row)
    return found
