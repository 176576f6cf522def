"""What a seed's file says of its columns, before DuckDB reads it."""

import csv
import re
from collections.abc import Sequence
from decimal import Decimal
from io import StringIO
from itertools import zip_longest
from pathlib import Path

from crm_assets.runner.templates import text_of

NO_TEXT = re.compile(
    r"|[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|\d{4}-\d\d?-\d\d?([t ].*)?|true|false", re.IGNORECASE | re.ASCII
)
"""Nothing, a number, an ISO date or time, or a boolean, as for dbt. DuckDB also takes yes, 0x10 and 2026/02/01."""

INTEGER = re.compile(r"[+-]?\d+", re.ASCII)

UNCLOSED = "a quote is not closed: close it, and double quotes within text"


def header(path: Path, delimiter: str) -> Sequence[str]:
    """The names of a seed's columns."""
    return next(iter(_lines(path, delimiter)), [])


def text_columns(path: Path, delimiter: str) -> Sequence[str]:
    """The columns with a value that can only be a text."""
    columns = [*zip_longest(*_lines(path, delimiter), fillvalue="")]
    names = [name.lower() for name, *_ in columns]
    return [
        name
        for name, *values in columns
        # DuckDB gives others another name.
        if name and names.count(name.lower()) == 1 and any(map(_is_text, values))
    ]


def _is_text(value: str) -> bool:
    """Whether no other type holds it. DuckDB would round an integer of more than 64 bits."""
    is_integer = INTEGER.fullmatch(value) is not None
    return not -(2**63) <= Decimal(value) < 2**63 if is_integer else NO_TEXT.fullmatch(value) is None


def unreadable(path: Path, delimiter: str) -> str:
    """Why DuckDB, which does not say so, cannot tell a seed's lines apart: file, line, what to do. Empty if unknown."""
    lines, begun = csv.reader(StringIO(text_of(path)), delimiter=delimiter, strict=True), 1
    try:
        for _ in lines:
            begun = lines.line_num + 1
    except csv.Error:
        return f"{path}:{begun}: {UNCLOSED}"
    content = path.read_bytes()
    if content.count(b"\r\n") not in {0, content.count(b"\n")}:
        return f"{path}:1: some lines end as on Windows, and others do not: save the file with one kind of line end"
    return ""


def _lines(path: Path, delimiter: str) -> list[list[str]]:
    lines = csv.reader(StringIO(text_of(path).removeprefix("\ufeff")), delimiter=delimiter)
    try:
        return [[value.strip() for value in line] for line in lines]
    except csv.Error:  # which DuckDB explains better, if it cannot read the file either
        return []
