"""Repeatable chance: numbers and instants that follow from a seed alone."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple, TypeVar

_T = TypeVar("_T")

_WORD = 2**64 - 1
_MULTIPLIER = 0x9E3779B97F4A7C15
_FINISHER = 0xBF58476D1CE4E5B9


def mix(*parts: int) -> int:
    """Scramble integers into one 64-bit number: the same parts always give the same number.

    Python's own ``hash`` may differ from one release to the next; this one must not, because
    two processes have to agree on every record.
    """
    value = 0
    for part in parts:
        value = ((value ^ part) * _MULTIPLIER + 1) & _WORD
        value ^= value >> 32
    value = (value * _FINISHER) & _WORD
    return value ^ (value >> 29)


def fraction(*parts: int) -> float:
    """Scramble integers into a number from 0 up to, but not including, 1."""
    return (mix(*parts) >> 11) / 2**53


class Beat(NamedTuple):
    """The latest of a train of instants; seconds since 1970, UTC.

    Attributes:
        number: Which beat of the train it is.
        at: When it fell.
        until: When the next one falls.
    """

    number: int
    at: int
    until: int


def last_beat(seed: int, period: int, now: int) -> Beat:
    """Find the latest beat at or before an instant, without counting through those before it.

    Beat n falls somewhere in the first nine tenths of the n-th period, so beats come irregularly
    and yet never out of order nor two in the same second.

    Args:
        seed: Tells this train of beats from every other one.
        period: The mean distance of two beats in seconds; at least 10.
        now: The instant, in seconds since 1970, UTC.
    """
    phase = seed % period

    def instant(number: int) -> int:
        return phase + number * period + mix(seed, number) % (period * 9 // 10)

    number = (now - phase) // period
    at = instant(number)
    if at <= now:
        return Beat(number, at, instant(number + 1))
    return Beat(number - 1, instant(number - 1), at)


class Dice(Random):
    """A generator to be seeded anew for each record.

    It builds on ``random`` alone: of the standard generator's methods only that one is promised to give
    the same numbers in every release of Python. It is also the quickest.
    """

    def pick(self, items: Sequence[_T]) -> _T:
        """Draw one of some items."""
        return items[int(self.random() * len(items))]

    def number(self, start: int, stop: int, step: int = 1) -> int:
        """Draw a whole number from ``start`` up to, but not including, ``stop``."""
        return start + int(self.random() * ((stop - start) // step)) * step

    def happens(self, share: float) -> bool:
        """Draw whether something happens that happens in a share of the cases, 0 to 1."""
        return self.random() < share

    def maybe(self, share: float, value: _T) -> _T | None:
        """Draw the value in a share of the cases, else nothing."""
        return value if self.random() < share else None

    def digits(self, count: int) -> str:
        """Draw a text of digits; the first is not 0."""
        return str(self.number(10 ** (count - 1), 10**count))
