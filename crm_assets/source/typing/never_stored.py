"""Fields that are never stored, such as access tokens, in any spelling and at any depth."""

from collections.abc import Container, Iterable
from functools import cache
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import orjson

from crm_assets.api import ENDPOINTS
from crm_assets.source.schemas import resource_schema
from crm_assets.source.typing.field_names import snake_case


@cache
def never_stored() -> frozenset[str]:
    """The fields of all lists that are never stored: a record can hold records of other lists."""
    return frozenset(field for resource in ENDPOINTS for field in resource_schema(resource).never_stored)


FOLDED = bytes.maketrans(ascii_uppercase.encode() + b"+*@|", ascii_lowercase.encode() + b"xxal")
"""What snake case makes of letters, and of marks that look like some."""


def _may_have(records: list[Any], fields: Iterable[str]) -> bool:
    """Whether a field may be in the records, in any spelling. To look at all of their keys takes five times as long."""
    try:
        text = orjson.dumps(records).translate(FOLDED)
    except orjson.JSONEncodeError:  # an integer of more than 64 bits
        return True
    return any(max(field.split("_"), key=len).encode() in text for field in fields)


def without_secrets_within(records: list[Any]) -> list[Any]:
    """Records whose own records, as the deals of a contact, have no field that is never stored."""
    return [*map(_without_secrets_within, records)] if _may_have(records, never_stored()) else records


def _without_secrets_within(record: Any) -> Any:
    if not isinstance(record, dict):
        return without_fields(never_stored(), record)
    return {key: without_fields(never_stored(), value) for key, value in record.items()}


def without_fields(fields: Container[str], value: Any) -> Any:
    """A JSON value without these fields, at any depth and in any spelling."""
    if isinstance(value, list):
        return [without_fields(fields, item) for item in value]
    if isinstance(value, dict):
        return {key: without_fields(fields, item) for key, item in value.items() if snake_case(key) not in fields}
    return value
