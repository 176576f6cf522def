"""What numbers, times and booleans look like in any notation."""

import re
from collections.abc import Mapping
from types import MappingProxyType

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
