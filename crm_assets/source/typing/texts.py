"""What texts of an API stand for: JSON however it is encoded, timestamps, and values in any notation."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_plus

import pyarrow as pa
import pyarrow.compute as pc

from crm_assets.source.http.exact_json import parse_json

INVISIBLE = "".join(
    map(chr, (*range(0x21), *range(0x7F, 0xA1), 0xAD, 0x1680, *range(0x2000, 0x2010), *range(0x2028, 0x2030)))
) + "".join(map(chr, (*range(0x205F, 0x2070), 0x3000, 0xFEFF)))
"""Blanks, control characters, marks of width zero or of a direction: what may stand before JSON and is not seen."""

A_KEY = rf"""["'`&\\%\u2018-\u201f]|:?\w[\w.-]*[{INVISIBLE}]*(?::|=>)"""
"""The beginning of a key, in whatever quotes or without any, as in JavaScript and Ruby."""

AN_OBJECT = re.compile(rf"""[{INVISIBLE}"'\\]*(?=[\[{{]).*?\{{[{INVISIBLE}]*(?:{A_KEY})""", re.DOTALL)
"""What begins like JSON and has an object. If it is not JSON, as a text that was cut, fields cannot be redacted."""

FOR_A_URL = re.compile(r"(?:\+|%(?:25)*(?:20|0a|0d|09))*%(?:25)*(?:7b|5b|22|27|5c)", re.IGNORECASE)
"""The beginning of JSON that is encoded for a URL, once or more often."""

ENCODED_AGAIN = re.compile("%(?:25)+")
"""A percent sign that was encoded, all at once: one after another they would take the square of their number."""


def json_within(text: str) -> Any:
    """The object, array or string in a text of JSON, also one that is encoded for a URL; None if it is no such text."""
    text = decoded(text)
    if not text.startswith(("{", "[", '"')):
        return None
    try:
        return parse_json(text.encode())
    except ValueError:
        return None


def decoded(text: str) -> str:
    """A text that begins with what it means: without what is not seen, and decoded if it is JSON encoded for a URL."""
    text = text.strip(INVISIBLE)
    if FOR_A_URL.match(text):
        text = unquote_plus(ENCODED_AGAIN.sub("%", text)).strip(INVISIBLE)
    return text


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


NUMBER = r"[+-]?\s?(\d+|\d{1,3}([ .,'_\u00a0\u202f]\d{3})+)([.,]\d*)?(e[+-]?\d{1,3})?\s?[%\u20ac$\u00a3]?"

WORDS = (
    "jan|january|feb|february|mar|march|apr|april|may|jun|june|jul|july|aug|august|sep|sept|september|oct|october|"
    "nov|november|dec|december|mon|monday|tue|tues|tuesday|wed|wednesday|thu|thur|thurs|thursday|fri|friday|sat|"
    "saturday|sun|sunday|utc|gmt|am|pm|t|z|w|st|nd|rd|th|at|of"
)
"""The words of written times, in English as in RFC 2822."""

ISO = r"\d{4}-\d\d-\d\d([T ][\d:.,]{5,18}(Z|[+-][\d:]{4,6})?)?"
"""What nearly all times look like, so this is tried first."""

TIME = rf"{ISO}|(?=.*\d)(?!.*[^.,\dt]\d{{5}})([\d\s.,:;/+\-()]|(?<![a-z])({WORDS})(?![a-z]))+"
"""With a digit, and without a long group of digits, as telephone numbers have one, but at its beginning or as a
fraction."""

BOOLEAN = "true|false|yes|no|on|off|t|f|y|n|0|1"

LONGEST = 40
"""Characters of the longest number or time."""

LOOKS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        data_type: re.compile(pattern, re.IGNORECASE | re.ASCII)
        for data_type, pattern in {
            **dict.fromkeys(("bigint", "decimal", "double"), NUMBER),
            **dict.fromkeys(("timestamp", "date"), TIME),
            "bool": BOOLEAN,
        }.items()
    }
)
"""Data type of a column -> what its values look like."""


def looks_like(data_type: str, text: str) -> bool:
    """Whether a text is a value of the type in some notation: `1.234,50` is a decimal, `May 5th, 2026` a date."""
    stripped = text.strip()
    return not stripped or (len(stripped) <= LONGEST and LOOKS[data_type].fullmatch(stripped) is not None)
