"""How many requests the API allows, by its answers' rate-limit headers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from crm_assets.source.http.answers import seconds_until
from crm_assets.source.http.limits import HOUR

LIMIT = ("X-RateLimit-Limit", "X-RateLimit-Total", "RateLimit-Limit")
REMAINING = ("X-RateLimit-Remaining", "RateLimit-Remaining")
RESET = ("X-RateLimit-Reset", "RateLimit-Reset")
COMBINED = ("RateLimit", "RateLimit-Policy")
"""Header names in use, old and new; the combined ones hold several numbers."""

FIRST_NUMBER = re.compile(r"\s*(\d{1,15})\b")
IN_COMBINED = {
    "limit": re.compile(r"\b(?:q|limit)=(\d{1,15})\b"),
    "remaining": re.compile(r"\b(?:r|remaining)=(\d{1,15})\b"),
    "period": re.compile(r"\bw=(\d{1,9})\b"),
}

DAY = 24 * HOUR


@dataclass(frozen=True)
class Allowance:
    """Requests that the API allows.

    Attributes:
        remaining: How many are left now; None if the API does not tell.
        limit: How many it allows in a period; None if it does not tell.
        period: Seconds that `limit` is for.
        period_is_told: Whether the API says so. Otherwise it is an hour, or a day if the next one is further away.
    """

    remaining: int | None
    limit: int | None
    period: float
    period_is_told: bool


def allowance_of(headers: Mapping[str, str]) -> Allowance | None:
    """What an answer's headers tell of the API's rate limit; None if nothing."""
    combined = " ".join(headers.get(name, "") for name in (*COMBINED, *LIMIT))
    limit, remaining, period = (_first(pattern, combined) for pattern in IN_COMBINED.values())
    limit = _header(headers, LIMIT) if limit is None else limit
    remaining = _header(headers, REMAINING) if remaining is None else remaining
    if limit is None and remaining is None:
        return None
    reset = max((seconds_until(headers.get(name)) or 0.0 for name in RESET), default=0.0)
    return Allowance(remaining, limit, period or (HOUR if reset <= HOUR else DAY), period_is_told=bool(period))


def _header(headers: Mapping[str, str], names: tuple[str, ...]) -> int | None:
    found = [number for name in names if (number := _first(FIRST_NUMBER, headers.get(name, ""))) is not None]
    return found[0] if found else None


def _first(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(found[1]) if found else None
