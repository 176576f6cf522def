"""How many requests the API allows, from the rate-limit headers of its answers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from crm_assets.source.http.answers import seconds_until
from crm_assets.source.http.limits import HOUR

LIMIT = ("X-RateLimit-Limit", "X-RateLimit-Total", "RateLimit-Limit")
REMAINING = ("X-RateLimit-Remaining", "RateLimit-Remaining")
RESET = ("X-RateLimit-Reset", "RateLimit-Reset")
COMBINED = ("RateLimit", "RateLimit-Policy")
"""Names of rate-limit headers, old and new; the combined ones hold several numbers."""

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
        remaining: How many are left now; None if the API does not say.
        limit: How many it allows per period; None if it does not say.
        period: The length of the period in seconds.
        period_is_told: Whether the API gives the period. If not, an hour is assumed, or a day if the reset is further
            away.
    """

    remaining: int | None
    limit: int | None
    period: float
    period_is_told: bool


def allowance_of(headers: Mapping[str, str]) -> Allowance | None:
    """The API's rate limit from an answer's headers; None if they have none."""
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
