"""JSON in texts, however it is encoded."""

import re
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
