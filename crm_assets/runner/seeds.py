"""What a seed's file says of its columns, and what is wrong with it."""

import csv
import re
from collections.abc import Collection, Mapping
from io import StringIO
from itertools import zip_longest
from pathlib import Path

import duckdb

from crm_assets.errors import ModelsRefused
from crm_assets.runner.templates import text_of
from crm_assets.warehouse.duckdb_messages import reason

INTEGER = r"-?(0|[1-9]\d{0,17}|[1-8]\d{18})"
DATE = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
TIME = rf"{DATE}[T ]\d\d:\d\d:\d\d(\.\d+)?"
TYPES: Mapping[str, re.Pattern[str]] = {
    "integer": re.compile(r"-?(0|[1-9]\d{0,8}|1\d{9})"),  # as dbt has them
    "bigint": re.compile(INTEGER),
    "double": re.compile(rf"({INTEGER}(\.\d*)?|-?\.\d+)([eE][+-]?\d+)?"),
    "boolean": re.compile("true|false", re.IGNORECASE),
    "date": re.compile(DATE),
    "timestamp": re.compile(rf"{TIME}|{DATE}[T ]\d\d:\d\d"),
    "timestamptz": re.compile(rf"{TIME}(Z|[+-]\d\d(:?\d\d)?)"),
}
"""Type -> its values. Others are text, such as 007, yes, 01/02/2026 and integers that 64 bits do not hold. So are times
with a zone and without seconds, which DuckDB reads as null."""

PROBLEM = re.compile(
    r"CSV Error on Line: (\d+)\n.*?(Expected Number of Columns[^\n]*|Value with unterminated quote|Invalid unicode|"
    r'Error when converting column "[^"\n]*")',
    re.DOTALL,
)
"""The line and the problem in a message of DuckDB's, without the line's values."""

REMEDY = "correct it, or the type in column_types. Lines end in one way, values have closed quotes, and text is UTF-8"


def column_types(path: Path, declared: Mapping[str, str]) -> dict[str, str]:
    """The columns of a seed with their types: those that are declared, or the narrowest that hold all values.

    Raises:
        ModelsRefused: A column has a declared type, and is not there; or two have one name.
    """
    try:
        columns = [*zip_longest(*csv.reader(StringIO(text_of(path).removeprefix("\ufeff"))), fillvalue="")]
    except csv.Error as error:
        raise ModelsRefused(f"{path}: {error}: {REMEDY}") from None
    names = [name.strip().lower() for name, *_ in columns if name.strip()]
    if not names or len({*names}) < len(names):
        raise ModelsRefused(f"{path}:1: a column has no name of its own: write a header with one for each column")
    types = {name.strip(): _type_of({*map(str.strip, values)} - {""}) for name, *values in columns if name.strip()}
    if missing := declared.keys() - types:
        raise ModelsRefused(
            f"{path}:1: there is no column {', '.join(sorted(missing))}: correct the name in column_types, or the "
            f"header, whose names commas separate: {', '.join(types)}"
        )
    return {**types, **declared}


def _type_of(values: Collection[str]) -> str:
    fitting = (type_ for type_, pattern in TYPES.items() if values and all(map(pattern.fullmatch, values)))
    return next(fitting, "varchar")


def unreadable(path: Path, error: duckdb.Error) -> str:
    """Why DuckDB cannot read a seed: file, line, what to do."""
    found = PROBLEM.search(str(error))
    return f"{path}:{found[1]}: {found[2]}: {REMEDY}" if found else f"{path}:1: {reason(error)}: {REMEDY}"
