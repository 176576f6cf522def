"""From a JSON value to a value of its column's declared type, without loss, or to none at all.

Lossless is what counts: "12" fits a bigint and 5 fits a text, but a number with more decimal places than the column
keeps does not fit. What does not fit is kept as text in a column beside it, `<column>__v_text`.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime, timezone
from decimal import Context, Decimal, InvalidOperation
from typing import Any

import orjson
from dlt.common.time import ensure_datetime_in_tz

DECIMAL_PRECISION = 38
DECIMAL_SCALE = 9
EXACT = Context(prec=100)
"""Python's own context rounds to 28 digits, silently."""

BIGINT = range(-(2**63), 2**63)
EXACT_FLOAT = 2**53
"""Integers up to here are exact when a float holds them."""


class DoesNotFit(ValueError):
    """The value has no lossless form in its column's type."""


def fit(data_type: str, value: Any) -> Any:
    """The value in the Python type of a dlt `data_type`; None stays None.

    text -> str, bigint -> int, decimal -> Decimal, bool -> bool, timestamp -> datetime (UTC), date -> date, json -> its
    JSON text.

    Raises:
        DoesNotFit: There is no lossless form.
    """
    return None if value is None else _FIT[data_type](value)


def as_text(value: Any) -> str:
    """Any JSON value as text: a string as it is, everything else as JSON."""
    return value if isinstance(value, str) else as_json(value)


def as_json(value: Any) -> str:
    """The JSON text of a value; integers may be of any size."""
    with suppress(TypeError):
        return orjson.dumps(value).decode()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _bigint(value: Any) -> int:
    number: Any = None
    if isinstance(value, str) and len(value) <= len("-9223372036854775808") and value.isascii():
        with suppress(ValueError):
            number = int(value)
    elif isinstance(value, float) and value.is_integer() and abs(value) < EXACT_FLOAT:
        number = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    if number is None or number not in BIGINT:
        raise DoesNotFit
    return int(number)


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise DoesNotFit
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise DoesNotFit from None
    if not number.is_finite() or len(number.as_tuple().digits) > EXACT.prec:
        raise DoesNotFit
    if number.is_zero():
        return Decimal(0)
    _, digits, exponent = number.normalize(EXACT).as_tuple()
    places = max(0, -int(exponent))
    if (
        places > DECIMAL_SCALE
        or number.adjusted() >= DECIMAL_PRECISION - DECIMAL_SCALE
        or len(digits) > DECIMAL_PRECISION
    ):
        raise DoesNotFit
    return number


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in {"true", "false"}:
        return bool(value == "true")
    raise DoesNotFit


def _timestamp(value: Any) -> datetime:
    if isinstance(value, str) and "T" in value.upper().replace(" ", "T"):
        with suppress(ValueError, OverflowError):
            return ensure_datetime_in_tz(value, timezone.utc)
    raise DoesNotFit


def _date(value: Any) -> date:
    if isinstance(value, str) and len(value) == len("2026-01-31"):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise DoesNotFit


_FIT: Mapping[str, Callable[[Any], Any]] = {
    "text": as_text,
    "bigint": _bigint,
    "decimal": _decimal,
    "bool": _bool,
    "timestamp": _timestamp,
    "date": _date,
    "json": as_json,
}
