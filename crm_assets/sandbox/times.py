"""Instants as the API writes them, and the hours at which people work."""

from datetime import datetime, timedelta, timezone
from typing import Final

from crm_assets.sandbox.chance import mix

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_FRIDAY = 4
_FIRST_OFFICE_HOUR_UTC = 13  # 8 in the morning where most of the owners sit, at -05:00
_OFFICE_QUARTERS = 36
_QUARTER = 15 * MINUTE

# The API mixes offsets within one record, most of them the account's own.
_OFFSETS = tuple(timezone(timedelta(hours=hours)) for hours in (-5, -5, 0, 1))


def timestamp(seconds: int) -> str:
    """Write an instant (seconds since 1970, UTC) as ISO 8601, at one of several offsets."""
    offset = _OFFSETS[mix(seconds) % len(_OFFSETS)]
    return datetime.fromtimestamp(seconds, offset).isoformat().replace("+00:00", "Z")


def date(seconds: int) -> str:
    """Write the UTC day of an instant (seconds since 1970, UTC), such as ``2025-03-31``."""
    return datetime.fromtimestamp(seconds, timezone.utc).date().isoformat()


def office_time(seconds: int, draw: int) -> int:
    """Pick a quarter of an hour within office hours, on that day or the Friday before its weekend.

    Args:
        seconds: An instant of the wanted day, in seconds since 1970, UTC.
        draw: Any number; it decides which quarter of an hour it is.
    """
    day = seconds // DAY
    weekday = (day + 3) % 7  # 1970 began on a Thursday
    day -= max(0, weekday - _FRIDAY)
    return day * DAY + _FIRST_OFFICE_HOUR_UTC * HOUR + draw % _OFFICE_QUARTERS * _QUARTER
