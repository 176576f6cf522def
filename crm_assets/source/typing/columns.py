"""Columns: names of those for undeclared fields, and typed Arrow columns from JSON values.

An undeclared field has dlt's snake case, plus a hash if another field could have the same. A value fits a type exactly,
or not at all.

"12" fits a bigint and 5 fits a text, but "007" does not fit a bigint, nor does a number with more decimal places than
the column has. Values that do not fit are kept as text in the variant column, `<column>__v_text`.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from types import NoneType
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from dlt.common.normalizers.naming.snake_case import NamingConvention

from crm_assets.source.http.page import EXACT_FLOAT
from crm_assets.source.typing.texts import INSTANTS, instants

NAMING = NamingConvention()
DLT_PREFIX = "_dlt_"
"""The prefix of dlt's own columns."""

VARIANT_INFIX = "__v_"
"""The part of a variant column's name before its type."""

FURTHER = "_further_fields"
"""The JSON column for undeclared fields without a column. Its keys are the names that their columns would have.

No field has this name itself.
"""

MAX_NAME_LENGTH = 200
"""Characters of the name of an undeclared field's column. A field with a longer one has no column of its own."""

HASH_SUFFIX = re.compile("__h[0-9a-f]{8}$")
"""The suffix of columns whose fields could have shared one."""

AMBIGUOUS = re.compile(r"[^\w\s.:,;/()\[\]?!'\"-]|^[^A-Za-z]*[^\x00-\x7F][^A-Za-z]*$|^[^A-Za-z0-9]*$")
"""Keys that dlt's snake case does not tell from others: of "Discount %" and "Discount $" it makes the same, and of all
words in Greek or Chinese. What only separates words does not matter. Words such as "größe" keep the name that dlt gives
them, although it could be that of another word."""


def column_names(keys: Collection[str], taken: Collection[str]) -> dict[str, str]:
    """Key -> column name. The names are unique and not in `taken`.

    dlt itself lets the last one win: of `Name` and a declared `name`, or of `fooBar` and `foo_bar`, one value would be
    lost silently. A name depends only on the record's own keys, so it is the same in every read.
    """
    names = {key: snake_case(key) for key in keys}
    count = Counter(names.values())
    own = {key for key, name in names.items() if key == name or (count[name] == 1 and not AMBIGUOUS.search(key))}
    return {key: name if key in own and _is_free(name, taken) else _with_hash(key, name) for key, name in names.items()}


@lru_cache(maxsize=10_000)
def snake_case(key: str) -> str:
    """The column name that dlt gives a key; empty if no character of the key is allowed in one."""
    return NAMING.normalize_path(key)


def column_name(key: str) -> str:
    """The column name of a key whose record has no other with the same."""
    name = snake_case(key)
    return _with_hash(key, name) if AMBIGUOUS.search(key) and key != name else name


def without_hash(column: str) -> str:
    """A column's name without the hash that makes it unique."""
    return HASH_SUFFIX.sub("", column)


def can_be_declared(column: str) -> bool:
    """Whether a schema may declare a column of this name: in snake case, and not the name of another kind of column."""
    is_reserved = column in {"", FURTHER} or column.startswith(DLT_PREFIX) or VARIANT_INFIX in column
    return not is_reserved and column == snake_case(column)


def _is_free(name: str, taken: Collection[str]) -> bool:
    return name not in taken and can_be_declared(name) and not HASH_SUFFIX.search(name)


def _with_hash(key: str, name: str) -> str:
    # A letter first: dlt would put an underscore before a digit.
    return f"{name.removeprefix(DLT_PREFIX) or 'field'}__h{hashlib.sha256(key.encode()).hexdigest()[:8]}"


DECIMALS, DATES = pa.decimal128(38, 9), pa.date32()

DECIMAL = r"^-?(0|[1-9][0-9]{0,28})(\.[0-9]+)?$|^-?[1-9](\.[0-9]{1,9})?[eE][+-]?0?[0-9]$"
"""A string that is a decimal number: no plus, no leading zeros, no underscores, and no more digits than the column has.
Arrow misses some overflows: it changed 3743106039873429137970549819721 to another number."""

FIRST = datetime(1, 1, 1, tzinfo=timezone.utc)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc)
"""The first and the last timestamp that Python can represent. Arrow and DuckDB allow earlier and later ones."""

BEGINS_WITH_YEAR = re.compile(r"[0-9]{4}[-0-9W]*([Tt ].*)?")
"""A text that may be a date, and one that may be a time. Most others are words, or seconds since 1970."""

NARROW_TYPES: Mapping[str, set[type]] = {"bool": {bool}, "bigint": {int}, "double": {int, float}}
"""Types of undeclared columns, the narrowest first -> the Python types that they accept."""

DOES_NOT_FIT = (pa.ArrowException, ValueError, TypeError, LookupError, OverflowError, AttributeError)
"""Raised for values that do not fit a type exactly."""


def variant_name(column: str) -> str:
    """The name of the variant column of `column`, as dlt would name it. Its type is always text."""
    return f"{column}{VARIANT_INFIX}text"


def varies(column: str) -> str | None:
    """The column that the variant column `column` belongs to; None if it is not a variant column of any type."""
    name, _, data_type = column.rpartition(VARIANT_INFIX)
    return name if name and data_type in TYPES else None


def as_text(value: Any) -> str:
    """Any JSON value as text: a string unchanged, everything else as JSON."""
    return value if isinstance(value, str) else as_json(value)


def as_json(value: Any) -> str:
    """The JSON text of a value. Integers may have any size."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def narrowest_type(values: Sequence[Any]) -> str | None:
    """The data type of an undeclared column, from its first values; None if all of them are null.

    The narrowest of bool, bigint, double, json and text that holds all of them exactly. Strings become text, even if
    they look like dates: declare the column to get another type.
    """
    kinds = set(map(type, values)) - {NoneType}
    if not kinds:
        return None
    for data_type, allowed in NARROW_TYPES.items():
        if kinds <= allowed:
            with suppress(*DOES_NOT_FIT):
                _array(data_type, values)
                return data_type
    return "text" if str in kinds else "json"


def typed_column(data_type: str, values: Sequence[Any]) -> tuple[pa.Array, pa.Array | None]:
    """An array of the type with the values that fit, and a text array with the others, or None if all fit."""
    with suppress(*DOES_NOT_FIT):
        return _array(data_type, values), None
    may_fit = TYPES[data_type].may_fit
    candidates = [n for n, value in enumerate(values) if may_fit is None or may_fit.fullmatch(as_text(value))]
    fit = set(_fitting(data_type, values, candidates))
    fitting = [value if n in fit else None for n, value in enumerate(values)]
    misfits = [None if n in fit or value is None else as_text(value) for n, value in enumerate(values)]
    return _array(data_type, fitting), pa.array(misfits, pa.string())


def _fitting(data_type: str, values: Sequence[Any], positions: Sequence[int]) -> Sequence[int]:
    """The positions of values that fit. Tries halves again: Arrow takes as long for one value as for hundreds."""
    try:
        _array(data_type, [values[n] for n in positions])
    except DOES_NOT_FIT:
        middle = len(positions) // 2
        halves = (positions[:middle], positions[middle:]) if middle else ()
        return [n for half in halves for n in _fitting(data_type, values, half)]
    return positions


def _array(data_type: str, values: Sequence[Any]) -> pa.Array:
    """The values as an array of the type. Raises one of `DOES_NOT_FIT` unless all fit."""
    wanted = TYPES[data_type]
    kinds = set(map(type, values)) - {NoneType}
    if not kinds:
        return pa.nulls(len(values), wanted.arrow)
    if kinds != {wanted.kind}:
        values = [None if value is None else wanted.convert(value) for value in values]
    return wanted.parse(pa.array(values, pa.string())) if wanted.parse else pa.array(values, wanted.arrow)


def _as_bigint(value: Any) -> int:
    integer = int(value)
    is_same = str(integer) == value if isinstance(value, str) else integer == value
    if not is_same or isinstance(value, bool) or (isinstance(value, float) and abs(value) >= EXACT_FLOAT):
        raise ValueError
    return integer


def _as_double(value: Any) -> float:
    number = float(value)
    is_same = as_json(number) == value if isinstance(value, str) else abs(value) <= EXACT_FLOAT
    if isinstance(value, bool) or not (is_same or isinstance(value, float)):
        raise ValueError
    return number


def _decimals(texts: pa.StringArray) -> pa.Array:
    if not pc.all(pc.match_substring_regex(texts, DECIMAL)).as_py():
        raise ValueError
    return texts.cast(DECIMALS)


def _within_years(times: pa.Array) -> pa.Array:
    found = pc.min_max(times.cast(INSTANTS))
    if not FIRST <= found["min"].as_py() <= found["max"].as_py() <= LAST:
        raise ValueError
    return times


@dataclass(frozen=True)
class ArrowType:
    """How JSON values become an Arrow column. The functions raise one of `DOES_NOT_FIT`.

    Attributes:
        arrow: The column's type.
        kind: The Python type of values that need no conversion; None if all need one.
        convert: Converts any other value to `kind`.
        parse: Parses strings, for types for which Arrow's own parser accepts values that would not be stored exactly.
        may_fit: A pattern of the text of every value that fits. Others are not tried: that would take much longer.
    """

    arrow: pa.DataType
    kind: type | None
    convert: Callable[[Any], Any]
    parse: Callable[[pa.StringArray], pa.Array] | None = None
    may_fit: re.Pattern[str] | None = None


TYPES: Mapping[str, ArrowType] = {
    "text": ArrowType(pa.string(), str, as_text),
    "bigint": ArrowType(pa.int64(), int, _as_bigint),
    "double": ArrowType(pa.float64(), float, _as_double),
    "decimal": ArrowType(DECIMALS, str, str, _decimals, re.compile("-?[0-9][0-9.eE+-]*")),
    "timestamp": ArrowType(INSTANTS, str, str.upper, lambda texts: _within_years(instants(texts)), BEGINS_WITH_YEAR),
    "date": ArrowType(DATES, str, str.upper, lambda texts: _within_years(texts.cast(DATES)), BEGINS_WITH_YEAR),
    "bool": ArrowType(pa.bool_(), bool, lambda value: {"true": True, "false": False}[as_text(value)]),
    "json": ArrowType(pa.string(), None, as_json),
}
"""dlt's data type -> how its values are converted."""
