"""Timestamps of RFC 3339 and ISO 8601, as instants in UTC."""

import re
from datetime import date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

INSTANTS = pa.timestamp("us", tz="UTC")

ZONE = "(Z|[+-][0-9]{2}(?::?[0-9]{2})?)"
"""An offset, as Arrow reads it."""

BEYOND_MICROSECONDS = rf"(:[0-9]{{2}}:[0-9]{{2}}\.[0-9]{{6}})(?:[0-9]+ ?{ZONE}|0+)$"
"""Digits that a column cannot hold. They are cut off; without an offset, only zeros are."""

ARROW_READS = rf"^\d{{4}}-\d\d-\d\d[T ]([01]\d|2[0-3])(:\d\d(:[0-5]\d(\.\d{{1,6}})?)?)?{ZONE}?$"
"""The form of timestamps that Arrow reads, fast."""

ISO_8601 = re.compile(
    r"""
    (?P<year>[0-9]{4})
    (?:(?P<extended>-)|)
    (?:(?P<month>[0-9]{2})(?(extended)-)(?P<day>[0-9]{2})
      |W(?P<week>[0-9]{2})(?(extended)-)(?P<weekday>[0-9])
      |(?P<yearday>[0-9]{3}))
    [T ]
    (?P<hour>[0-9]{2})
    (?:(?(extended):)(?P<minute>[0-9]{2})(?:(?(extended):)(?P<second>[0-9]{2}))?)?
    (?:[.,](?P<fraction>[0-9]+))?
    [ ]?
    (?:Z|(?P<sign>[+\N{MINUS SIGN}-])(?P<hours>[01][0-9]|2[0-3])(?::?(?P<minutes>[0-5][0-9]))?)
    """,
    re.VERBOSE,
)
"""A complete date and a time, both in the extended format or both in the basic one, with an offset in either."""

DAY, HOUR, MINUTE, SECOND = (timedelta(**{unit: 1}) for unit in ("days", "hours", "minutes", "seconds"))


def instants(texts: pa.StringArray) -> pa.Array:
    """The instants that the texts stand for. Without an offset they are in UTC; digits beyond microseconds are cut off.

    Arrow reads the usual formats; those of ISO 8601 that it does not know take about ten times as long.

    Raises:
        ValueError: A text is not a timestamp.
    """
    texts = pc.replace_substring_regex(pc.ascii_upper(texts), BEYOND_MICROSECONDS, r"\1\2")
    try:
        return _parsed(texts)
    except pa.ArrowInvalid:
        is_other = pc.fill_null(pc.invert(pc.match_substring_regex(texts, ARROW_READS)), fill_value=False)
        others = texts.filter(is_other).to_pylist()
        if not others:
            raise
        return _parsed(pc.replace_with_mask(texts, is_other, pa.array(map(_usual, others), pa.string())))


def _parsed(texts: pa.StringArray) -> pa.Array:
    in_utc = pc.binary_join_element_wise(texts, "Z", "")
    return pc.if_else(pc.match_substring_regex(texts, f"{ZONE}$"), texts, in_utc).cast(INSTANTS)


def _usual(text: str) -> str:
    """A timestamp with an offset in any format of ISO 8601, as Arrow reads it.

    A leap second is the second after it, `24:00` midnight at the end of the day.

    Raises:
        ValueError: It is not one.
        OverflowError: It is outside of the years 1 to 9999.
    """
    found = ISO_8601.fullmatch(text)
    if not found:
        raise ValueError
    part = {name: int(value) for name, value in found.groupdict().items() if value and value.isdigit()}
    hour, minute, second = part["hour"], part.get("minute", 0), part.get("second", 0)
    unit = SECOND if "second" in part else MINUTE if "minute" in part else HOUR
    fraction = part.get("fraction", 0) * (unit // timedelta.resolution) // 10 ** len(found["fraction"] or "")
    time = timedelta(hours=hour, minutes=minute, seconds=second, microseconds=fraction)
    if minute > 59 or second > 60 or (hour > 23 and time != DAY):  # noqa: PLR2004 # a clock's limits
        raise ValueError
    offset = timedelta(hours=part.get("hours", 0), minutes=part.get("minutes", 0))
    day = datetime.combine(_day(part), datetime.min.time())
    return f"{(day + (time - (offset if found['sign'] == '+' else -offset))).isoformat()}Z"


def _day(part: dict[str, int]) -> date:
    if "week" in part:
        return date.fromisocalendar(part["year"], part["week"], part["weekday"])
    if "yearday" not in part:
        return date(part["year"], part["month"], part["day"])
    day = date(part["year"], 1, 1) + (part["yearday"] - 1) * DAY
    if day.year != part["year"]:
        raise ValueError
    return day
