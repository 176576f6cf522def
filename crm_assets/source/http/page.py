"""A page of a list, parsed once for the paginator, typing and the report."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from json import JSONDecodeError, detect_encoding
from typing import Any

from requests.utils import get_encoding_from_headers

from crm_assets.api import ID, META, PER_PAGE, TOTAL, TOTAL_PAGES
from crm_assets.errors import ApiError, BadAnswer
from crm_assets.masking import masked
from crm_assets.settings import setting_name
from crm_assets.source.http.answers import Answer, api_message
from crm_assets.source.http.attempts import broken
from crm_assets.source.http.exact_json import parse_json

BIGINT = range(-(2**63), 2**63)
EXACT_FLOAT = 2**53
"""A float holds integers up to this one exactly."""

INTEGER = re.compile("0|-?[1-9][0-9]*")
"""A string that is an integer. "007" and "-0" are not: they would be stored as 7 and 0."""

STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
"""A whole string of JSON."""

STRING_OR_MARK = re.compile(STRING.pattern + rb"|([,{\[])", re.DOTALL)
"""A whole string, or a character that a value may follow (group 1)."""

MAX_VALUES = 3_000_000
"""An answer with more values, records and fields included, is refused: parsed, they would take gigabytes."""

FIELDS = 3
"""The level of fields: a record is an object in an array of the answer. One that is nested too deeply becomes text."""

LARGEST_PAGE = 100
"""The API's largest page. No page up to this size is refused, however few records were requested."""

BLANK = b"\xef\xbb\xbf \t\r\n\v\f\0"
"""What may stand around JSON: byte order marks, white space and NULs."""

MARKS = re.compile(rb"[!-/:-@\\\]^`|}~]{1,8}")
"""Marks that JSON does not begin with, such as `)]}',`. Letters are not shown: they may be data."""

JSON_TYPES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}

CODING = re.compile(r"[\w-]{1,20}")
MEDIA_TYPE = re.compile(r"[\w.+-]{1,30}/[\w.+-]{1,30}|no content type")

Identity = tuple[int, ...]
"""What a page has in common with one that has the same records in the same order."""

SHOWN_KEYS = 5
SHOWN_LENGTH = 300


@dataclass(frozen=True)
class Page:
    """One page of a list.

    Attributes:
        number: Counts from 1.
        records: As the API sent them, redacted.
        total: Records in the whole list by the API's count; None if the answer has none.
        pages: Pages of the whole list by the API's count; None if the answer has none.
        refusal: Why the API did not send this page although it sent earlier ones; None if it sent it.
        side_loaded: The other arrays of the answer, by name, as the API sent them, not redacted.
        size: Bytes of the answer.
    """

    number: int
    records: list[Any]
    total: int | None = None
    refusal: ApiError | None = None
    side_loaded: Mapping[str, list[Any]] = field(default_factory=dict)
    size: int = 0
    pages: int | None = None

    @property
    def failure(self) -> ApiError | None:
        """The refusal, if the API may send this page later."""
        return self.refusal if self.refusal and self.refusal.may_recover else None

    @cached_property
    def ids(self) -> list[int | None]:
        """The id of each record; None for a record that has none and cannot be loaded."""
        return [integer_at(record, ID) for record in self.records]

    @cached_property
    def identity(self) -> Identity:
        """What two pages have in common that are the same: their ids, and all of a record without one."""
        return tuple(
            hash(repr(record)) if id_ is None else id_ for id_, record in zip(self.ids, self.records, strict=True)
        )


def parse_body(answer: Answer) -> Any:
    """The JSON of an answer's body.

    Raises:
        BadAnswer: The body is not JSON, or has too many values. The message says what it is, without values.
        ApiUnavailable: It is the beginning of JSON.
    """
    if _has_too_many_values(answer.content):
        raise BadAnswer(
            f"status 200, but the answer has more than {MAX_VALUES:,} values in {len(answer.content):,} bytes. If its "
            f"records are that large, set a smaller {setting_name('per_page')}"
        )
    try:
        return parse_json(answer.content, whole_from=FIELDS)
    except ValueError as error:
        why = _why_no_json(answer.content, error)
    _, *others = dict.fromkeys((answer.content, answer.content.strip(BLANK), _in_utf8(answer)))
    for content in others:
        with suppress(ValueError):
            return parse_json(content, whole_from=FIELDS)
    if _is_truncated(answer):
        raise broken(f"the answer breaks off after {len(answer.content):,} bytes")
    kind = answer.headers.get("Content-Type", "no content type").partition(";")[0]
    kind = kind if MEDIA_TYPE.fullmatch(kind) else "unknown content type"
    encoding = answer.headers.get("Content-Encoding", "")  # some APIs send what they were not asked for
    kind += f", Content-Encoding {encoding}" if CODING.fullmatch(encoding) else ""
    raise BadAnswer(
        f"status 200, but the body ({len(answer.content)} bytes, {kind}) is not JSON{why}. "
        f"Is {setting_name('base_url')} the API's address, and not that of its web pages?"
    )


def _why_no_json(content: bytes, error: ValueError) -> str:
    """What a body begins with, or where it stops being JSON, without letters of it; empty for an empty body."""
    content = content.strip(BLANK)
    if marks := MARKS.match(content):
        return f": it begins with {marks[0].decode()!r}"
    if isinstance(error, UnicodeDecodeError):
        return f": it is not {error.encoding} at byte {error.start + 1:,}"
    if isinstance(error, JSONDecodeError) and content:
        return f": {error.msg.lower()} at character {error.pos + 1:,}"
    return ""


def _has_too_many_values(content: bytes) -> bool:
    """Whether there are more than `MAX_VALUES`, counted before anything is parsed."""
    if len(content) < MAX_VALUES:  # counting them takes as long as a tenth of parsing
        return False
    if content.count(b",") + content.count(b"{") + content.count(b"[") <= MAX_VALUES:
        return False
    # Most may be in texts, where they mean nothing.
    marks = (found for found in STRING_OR_MARK.finditer(content) if found[1])
    return next(islice(marks, MAX_VALUES, None), None) is not None


def _is_truncated(answer: Answer) -> bool:
    """Whether the body is the beginning of an object or array, or is empty without saying so in the headers."""
    if not answer.content:
        return answer.headers.get("Content-Length") != "0"
    content = answer.content.decode(detect_encoding(answer.content), "replace").encode()
    if not content.lstrip(BLANK).startswith((b"{", b"[")):
        return False
    structure = STRING.sub(b"", content)
    opened = structure.count(b"{") + structure.count(b"[")
    return b'"' in structure or opened > structure.count(b"}") + structure.count(b"]")


def page_of(number: int, answer: Answer, data_selector: str, per_page: int, *, show_message: bool) -> Page:
    """The page in an answer's parsed body, an object in which `data_selector` is an array.

    Some APIs send null for an empty one, but so may an API that has failed. So null is an empty list if there is a
    total to compare it with. Without one, it ends a list like a refusal.

    Args:
        number: Counts from 1.
        answer: With status 200 and its parsed body.
        data_selector: The key of the list.
        per_page: How many records were asked for. Twice as many are accepted.
        show_message: Whether an error may show the API's own message.

    Raises:
        BadAnswer: The body is anything else. The error names what it is, without values of records.
    """
    body = answer.body
    if not isinstance(body, dict) or data_selector not in body:
        keys = _keys(body) if show_message or not isinstance(body, dict) else f"it has {len(body)} others"
        message = f", {api_message(answer.content)!r}" if show_message and api_message(answer.content) else ""
        raise BadAnswer(
            f"status 200{message}, but the answer has no {data_selector!r} ({keys}). "
            f"Check this resource's path in {setting_name('endpoints')}"
        )
    records, total = body[data_selector], integer_at(body.get(META), TOTAL)
    if records is None and total is not None:
        records = []
    if not isinstance(records, list):
        if records is None and number > 1:
            return Page(number, [], refusal=BadAnswer(f"{data_selector!r} is null"))
        raise BadAnswer(f"{data_selector!r} is not an array of records but {json_type(records)}")
    if len(records) > max(2 * per_page, LARGEST_PAGE):
        raise BadAnswer(
            f"{len(records):,} records, more than twice the {per_page} that were asked for. The API seems to ignore "
            f"the query parameter `{PER_PAGE}`. If its pages are that large, set {setting_name('per_page')} to that"
        )
    others = {name: value for name, value in body.items() if isinstance(value, list) and name != data_selector}
    total, pages = total if (total or 0) >= 0 else None, integer_at(body.get(META), TOTAL_PAGES)
    return Page(number, records, total, side_loaded=others, size=len(answer.content), pages=pages)


def _keys(body: Any) -> str:
    """The first keys of an object. They are texts of the API, as its messages are."""
    if not isinstance(body, dict):
        return f"it is {json_type(body)}"
    keys = ", ".join(sorted(repr(masked(key)) for key in body)[:SHOWN_KEYS])[:SHOWN_LENGTH]
    return f"it has {keys or 'nothing'}"


def _in_utf8(answer: Answer) -> bytes:
    """The body, decoded as its Content-Type says. JSON is UTF-8 by its standard, but not from every API.

    Empty if the body is not in that encoding, or the encoding is unknown.
    """
    with suppress(LookupError, ValueError):
        return answer.content.decode(get_encoding_from_headers(answer.headers) or "utf-8").encode()
    return b""


def json_type(value: Any) -> str:
    """The JSON type of a value, for messages."""
    return JSON_TYPES.get(type(value), "a number")


def integer_at(value: Any, key: str) -> int | None:
    """The 64-bit integer under an object's key, given as a number, also as 7.0, or a string; None if there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    if isinstance(found, float) and found.is_integer() and abs(found) < EXACT_FLOAT:
        return int(found)
    if isinstance(found, str) and len(found) <= len(str(BIGINT.start)) and INTEGER.fullmatch(found):
        found = int(found)
    return found if type(found) is int and found in BIGINT else None
