"""Parses JSON without loss: with orjson, and with the standard library where orjson would round a number."""

import json
import re
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

KINDS = {"0": "-0123456789", "e": "eE", ".": ".", " ": " \t\r\n:,["}
"""Kind -> the bytes that it replaces before the search for long numbers. All other bytes become an x."""

ALIKE = bytes(ord(next((kind for kind in KINDS if chr(code) in KINDS[kind]), "x")) for code in range(256))
"""The table for `bytes.translate`: it makes the search for long numbers ten times as fast."""

SUSPECTS = (b" " + b"0" * 20, b"." + b"0" * 8, b"0" * 8 + b".0", b"0" * 16 + b"e", b"0e" + b"0" * 4)
"""Every number that orjson rounds has one of these: 20 characters, 8 digits next to a point, 16 before an exponent,
or a tiny exponent."""

ROUNDED = re.compile(rb" (?:0{20}|(?=[0.]{17})0+\.0|0{16,}e|[0.]+e0{4})")
"""A number, outside strings, that a 64-bit integer or float may not hold exactly."""

MAX_DIGITS = 1000
"""Longer integers stay strings: Python refuses to convert some thousands of digits."""

SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
"""A surrogate, or half of a character that is escaped as two."""

MAX_DEPTH = 254
"""Levels of arrays and objects. orjson writes no more; thousands end Python's functions, and some of DuckDB crash."""

TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|([\[{])|([\]}])', re.DOTALL)
"""A whole string, the beginning of an array or object (group 1), or its end (group 2)."""


def parse_json(content: bytes, *, whole_from: int = MAX_DEPTH) -> Any:
    """Parses JSON in UTF-8, UTF-16 or UTF-32 without loss.

    The standard library parses numbers that orjson would round, and NaN, lone surrogates and control characters in
    strings, which orjson refuses although some APIs send them. A number that no Python number holds exactly becomes a
    string, and so does, with its JSON text, what is nested more than `MAX_DEPTH` levels deep.

    Args:
        content: The JSON.
        whole_from: The level of the arrays and objects that become a string as a whole if they hold such.

    Raises:
        ValueError: The content is not JSON.
    """
    alike = b" " + content.translate(ALIKE)
    is_shallow = False
    with suppress(orjson.JSONDecodeError, orjson.JSONEncodeError):
        parsed = orjson.loads(content)
        orjson.dumps(parsed)  # fails beyond MAX_DEPTH
        if not (any(part in alike for part in SUSPECTS) and ROUNDED.search(alike)):
            return parsed
        is_shallow = True
    text = content.decode(json.detect_encoding(content), "surrogatepass")
    text = text if is_shallow else _shallow(text, whole_from)
    parsed = json.loads(text, strict=False, parse_constant=str, parse_int=_integer, parse_float=_float)
    return _without_lone_surrogates(parsed) if SURROGATE.search(text) else parsed


def _shallow(text: str, whole_from: int) -> str:
    """JSON in which arrays and objects of that level are strings if they go beyond `MAX_DEPTH`."""
    parts: list[str] = []
    depth = deepest = start = end = 0
    for token in TOKEN.finditer(text):
        if token[1]:
            if depth == whole_from:
                start, deepest = token.start(), 0
            depth += 1
            deepest = max(deepest, depth)
        elif token[2]:
            depth -= 1
            if depth == whole_from and deepest > MAX_DEPTH:
                parts += text[end:start], json.dumps(text[start : token.end()])
                end = token.end()
    return "".join([*parts, text[end : start if depth > MAX_DEPTH else None]])  # without what does not end


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= MAX_DIGITS else digits


def _float(digits: str) -> float | str:
    number = float(digits)
    with suppress(InvalidOperation):  # an exponent of many digits
        if Decimal(repr(number)) == Decimal(digits):
            return number
    return digits


def _without_lone_surrogates(parsed: Any) -> Any:
    """Replaces surrogates that are no pair, which cannot be encoded in UTF-8."""
    halves = json.dumps(parsed, ensure_ascii=False).encode("utf-16", "surrogatepass")
    return json.loads(halves.decode("utf-16", "replace"))
