"""What texts of an API are: JSON, however it is encoded, and numbers, times and booleans in any notation."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_plus

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
