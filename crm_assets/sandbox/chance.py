"""Reproducible random numbers and times (seconds since 1970, UTC) that depend only on a seed."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any, NamedTuple

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

FIRST_OFFICE_HOUR = 13  # UTC; 8 in the morning at -05:00, where most of the owners are
OFFICE_QUARTERS = 36

# The API mixes offsets within one record, most of them the account's own.
OFFSETS = tuple(timezone(timedelta(hours=hours)) for hours in (-5, -5, 0, 1))

WORD = 2**64 - 1
MULTIPLIER = 0x9E3779B97F4A7C15
FINISHER = 0xBF58476D1CE4E5B9


def mix(*parts: int) -> int:
    """Scrambles integers into one 64-bit number: the same in every process and every release of Python."""
    value = 0
    for part in parts:
        value = ((value ^ part) * MULTIPLIER + 1) & WORD
        value ^= value >> 32
    value = (value * FINISHER) & WORD
    return value ^ (value >> 29)


def fraction(*parts: int) -> float:
    """Scrambles integers into a number from 0 up to, but not including, 1."""
    return (mix(*parts) >> 11) / 2**53


class Dice(Random):
    """A random generator that is seeded again for each record.

    It uses only `random`, the one method with the same results in every release of Python.
    """

    def pick(self, items: Sequence[Any]) -> Any:
        """Draws one of the items."""
        return items[int(self.random() * len(items))]

    def number(self, start: int, stop: int, step: int = 1) -> int:
        """Draws a whole number from `start` up to, but not including, `stop`."""
        return start + int(self.random() * ((stop - start) // step)) * step

    def happens(self, share: float) -> bool:
        """Draws true in a share of the cases, 0 to 1."""
        return self.random() < share


class Beat(NamedTuple):
    """One of a sequence of irregular times: its number, its time, and the time of the next one."""

    number: int
    at: int
    until: int


def last_beat(seed: int, period: int, now: int) -> Beat:
    """Computes the latest beat at or before a time, without computing the earlier ones.

    Beat n is somewhere in the first nine tenths of the n-th period. So beats are irregular, but in
    order, and never two in the same second. A period has at least 10 seconds.
    """
    phase = seed % period

    def instant(number: int) -> int:
        return phase + number * period + mix(seed, number) % (period * 9 // 10)

    number = (now - phase) // period
    at = instant(number)
    if at <= now:
        return Beat(number, at, instant(number + 1))
    return Beat(number - 1, instant(number - 1), at)


def timestamp(instant: int) -> str:
    """Formats a time as ISO 8601, with one of several offsets."""
    offset = OFFSETS[instant // MINUTE % len(OFFSETS)]
    return datetime.fromtimestamp(instant, offset).isoformat().replace("+00:00", "Z")


def office_time(instant: int, draw: int) -> int:
    """Chooses a time in office hours of that day, or of the Friday before its weekend; `draw` is any number."""
    day = instant // DAY
    day -= max(0, (day + 3) % 7 - 4)  # Saturday and Sunday; 1970-01-01 was a Thursday
    return day * DAY + FIRST_OFFICE_HOUR * HOUR + draw % OFFICE_QUARTERS * 15 * MINUTE
