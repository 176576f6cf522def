"""A page of a list, parsed once for the paginator, typing and the report."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from requests.utils import get_encoding_from_headers

from crm_assets.errors import BadAnswer
from crm_assets.settings import setting_name
from crm_assets.source.api import ID, META, TOTAL
from crm_assets.source.http.answers import Answer
from crm_assets.source.http.exact_json import parse_json

BIGINT = range(-(2**63), 2**63)
INTEGER = re.compile("0|-?[1-9][0-9]*")
"""A string that is an integer. "007" and "-0" are not: they would be stored as 7 and 0."""

SHOWN_KEYS = 5
SHOWN_LENGTH = 300


@dataclass(frozen=True)
class Page:
    """One page of a list.

    Attributes:
        number: Counts from 1.
        records: As the API sent them, redacted.
        total: Records in the whole list by the API's count; None if the answer has none.
        refusal: Why the API did not send this page although it sent earlier ones; empty if it sent it.
        side_loaded: The other arrays of the answer, by name, as the API sent them, not redacted.
    """

    number: int
    records: list[Any]
    total: int | None = None
    refusal: str = ""
    side_loaded: Mapping[str, list[Any]] = field(default_factory=dict)

    @cached_property
    def ids(self) -> list[int | None]:
        """The id of each record; None for a record that has none and cannot be loaded."""
        return [integer_at(record, ID) for record in self.records]


def parse_page(where: str, number: int, answer: Answer, data_selector: str) -> Page:
    """The page in an answer's body, a JSON object in which `data_selector` is an array.

    Raises:
        BadAnswer: The body is anything else. The message names what it is, without values.
    """
    try:
        try:
            body = parse_json(answer.content)
        except ValueError:
            body = parse_json(_in_utf8(answer))
    except RecursionError:
        raise BadAnswer(f"{where}: status 200, but the answer is nested more deeply than can be read") from None
    except ValueError:
        kind = answer.headers.get("Content-Type", "no content type")[:60]
        raise BadAnswer(
            f"{where}: status 200, but the body ({len(answer.content)} bytes, {kind}) is not JSON. "
            f"Is {setting_name('base_url')} the API's address, and not that of its web pages?"
        ) from None
    if not isinstance(body, dict) or data_selector not in body:
        keys = ", ".join(sorted(map(repr, body))[:SHOWN_KEYS]) if isinstance(body, dict) else "no object"
        keys = keys[:SHOWN_LENGTH] or "nothing"
        raise BadAnswer(
            f"{where}: status 200, but the answer has no {data_selector!r} (it has {keys}). "
            f"Check this resource's path in {setting_name('endpoints')}"
        )
    records = body[data_selector]
    if not isinstance(records, list):
        raise BadAnswer(f"{where}: {data_selector!r} is no array of records but {type(records).__name__}")
    total = integer_at(body.get(META), TOTAL)
    side_loaded = {name: value for name, value in body.items() if isinstance(value, list) and name != data_selector}
    return Page(number, records, total if total is not None and total >= 0 else None, side_loaded=side_loaded)


def _in_utf8(answer: Answer) -> bytes:
    """The body, decoded as its Content-Type says. JSON is UTF-8 by its standard, but not from every API.

    Raises:
        ValueError: The body is not in that encoding, or nobody knows the encoding.
    """
    try:
        return answer.content.decode(get_encoding_from_headers(answer.headers) or "utf-8").encode()
    except LookupError as error:
        raise ValueError from error


def integer_at(value: Any, key: str) -> int | None:
    """The 64-bit integer under an object's key, given as a number or a string; None if there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    if isinstance(found, str) and len(found) <= len(str(BIGINT.start)) and INTEGER.fullmatch(found):
        found = int(found)
    return found if type(found) is int and found in BIGINT else None
