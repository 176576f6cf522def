"""Redacts personal data: leaves them out, or replaces them with keyed hashes, before anything else uses them.

An unknown field may hold personal data. So unless `personal_data` is keep, a field is kept only if a schema declares
it or `personal_data_allowed` lists it. This applies to records and to objects within them, at any depth.
"""

import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Collection, Container, Iterable, Mapping
from functools import cache, lru_cache
from string import ascii_lowercase, ascii_uppercase
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_plus

import orjson

from crm_assets.api import ENDPOINTS, ID
from crm_assets.settings import CrmSettings, PersonalData
from crm_assets.source.http.exact_json import parse_json
from crm_assets.source.schemas import Column, resource_schema, side_loaded_arrays, side_loaded_columns
from crm_assets.source.typing.columns import as_json
from crm_assets.source.typing.field_names import column_name, snake_case, without_hash

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


HASHED_TYPES = frozenset({"text", "json"})
"""Types of columns that can hold a hash. Personal dates and numbers are left out instead."""

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

A_HASH = re.compile("[0-9a-f]{64}")

A_NAME = re.compile(r"[^\W\d][\w-]{0,63}")
"""Keys that are shown as names of dropped fields. Others may be data, such as e-mail addresses."""


VERSION = 3
"""Changes when other values are redacted than before, so that stored ones are converted."""


class Redaction:
    """Redacts the values of one resource. Can be shared by threads.

    With the same key, the same text has the same hash in every column and resource, so that joins still work.

    Attributes:
        dropped: What was left out so far: names of undeclared fields, `column.*` for fields within a column, and
            `column (no bigint)` for values that do not look like what the column is declared to be.
    """

    def __init__(self, settings: CrmSettings, columns: Mapping[str, Column], *, is_hashed: bool = False) -> None:
        """Prepares the rules.

        Args:
            settings: The policy for personal data, and the undeclared fields to keep.
            columns: The declared columns of the resource; empty for values of no resource, of which only fields listed
                in the settings are kept.
            is_hashed: Whether the values are already hashed: values that look like a hash are then not hashed again.
        """
        self.dropped: set[str] = set()
        self._policy, self._key = settings.personal_data, settings.hash_key
        self._listed = _listed(settings)
        self._columns = columns
        self._is_hashed = is_hashed

    def records(self, records: list[Any]) -> None:
        """Redacts the records of a page in place. Records within them lose what is never stored, under any policy."""
        if _may_have(records, never_stored()):
            records[:] = map(_without_secrets_within, records)
        if self._policy is not PersonalData.keep:
            records[:] = [self.record(record) for record in records]

    def record(self, record: Any) -> Any:
        """A redacted record. Malformed records, such as lists of records, are redacted, too."""
        if isinstance(record, list):
            return [self.record(item) for item in record]
        if not isinstance(record, dict):
            return None
        return {field: self.field(field, value) for field, value in record.items() if self.keeps(field)}

    def keeps(self, field: str) -> bool:
        """Whether a field, or its column, is kept. If not, its name is added to `dropped`."""
        if field in self._columns or self._lists(field):
            return True
        self.dropped.add(field if A_NAME.fullmatch(field) or is_personal_name(field) else "*")
        return False

    def _lists(self, field: str) -> bool:
        return not self._listed.isdisjoint(_names_of(field))

    def field(self, name: str, value: Any) -> Any:
        """The redacted value of a field that is kept."""
        try:
            return self._value_of(name, value)
        except RecursionError:  # texts of JSON in each other
            self.dropped.add(f"{name}.*")
            return None

    def _value_of(self, name: str, value: Any) -> Any:
        column = self._columns.get(name)
        if column is None:
            return self.value(value, within=name, is_personal=is_personal_name(name))
        if column.data_type not in HASHED_TYPES:
            redacted = None if column.personal else self._number_or_time(name, column.data_type, value)
            # An id that is left out becomes empty, not null: the record is rejected, and the reason names the type.
            is_left_out_id = name == ID and redacted is None and value is not None
            return type(value)() if is_left_out_id else redacted
        return self.value(value, within=name, is_personal=column.personal, fields=column.fields)

    def _number_or_time(self, name: str, data_type: str, value: Any) -> Any:
        """A value of a column that is declared as a number, time or boolean: left out unless it looks like one."""
        if self._policy is PersonalData.keep:
            return value
        if isinstance(value, list):
            items = [self._number_or_time(name, data_type, item) for item in value]
            return [item for item in items if item is not None] or None
        if isinstance(value, dict):
            return self._object(value, name, is_personal=False, fields=()) or None
        if not isinstance(value, str) or looks_like(data_type, value):
            return value
        parsed = json_within(value)
        redacted = None if parsed is None or isinstance(parsed, str) else self._number_or_time(name, data_type, parsed)
        if redacted is None:
            self.dropped.add(f"{name} (no {data_type})")
            return None
        return value if redacted == parsed else as_json(redacted)

    def value(self, value: Any, *, within: str, is_personal: bool = False, fields: Collection[str] = ()) -> Any:
        """Any JSON value, redacted. Used for side-loaded records, too.

        Redacts objects and arrays at any depth, and strings that are JSON themselves.

        Args:
            value: The value; it is not changed.
            within: The column or array that it belongs to, for `dropped`.
            is_personal: Whether the whole value is personal, whatever the names of its fields.
            fields: Names of known fields to keep in its objects. Fields that any resource's schema tags as personal are
                redacted nevertheless.
        """
        if self._policy is PersonalData.keep or value is None:
            return value
        if isinstance(value, dict):
            return self._object(value, within, is_personal, fields)
        if isinstance(value, list):
            items = [self.value(item, within=within, is_personal=is_personal, fields=fields) for item in value]
            return [item for item in items if item is not None] or None if is_personal else items
        if isinstance(value, str):
            return self._hidden(value) if is_personal else self._text(value, within, fields)
        return None if is_personal else value

    def _object(self, value: dict[str, Any], within: str, is_personal: bool, fields: Collection[str]) -> Any:
        kept: dict[str, Any] = {}
        for field, inner in value.items():
            listed = self._lists(field)
            if listed or field in fields:
                hidden = is_personal_name(field) or (is_personal and not listed)
                kept[field] = self.value(inner, within=within, is_personal=hidden, fields=fields)
            else:
                self.dropped.add(f"{within}.*")
        if is_personal and all(inner is None for inner in kept.values()):
            return None
        return kept

    def _text(self, text: str, within: str, fields: Collection[str]) -> str | None:
        parsed = json_within(text)
        if parsed is None:
            if AN_OBJECT.match(_decoded(text)):
                self.dropped.add(f"{within}.*")
                return None
            return text
        redacted = self.value(parsed, within=within, fields=fields)
        return text if redacted == parsed else None if redacted is None else as_json(redacted)

    def _hidden(self, text: str) -> str | None:
        text = text.strip()  # as the models see it: a hash would make a blank look like an address or a name
        if self._policy is PersonalData.leave_out or not text:
            return None
        if self._is_hashed and A_HASH.fullmatch(text):
            return text
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def _listed(settings: CrmSettings) -> frozenset[str]:
    return frozenset[str]().union(*map(_names_of, settings.personal_data_allowed))


@lru_cache(maxsize=10_000)
def _names_of(field: str) -> frozenset[str]:
    """How a field is sent, and how its column is called. Words that dlt gives one name have none of these in common."""
    return frozenset({field, column_name(without_hash(field))})


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


def json_within(text: str) -> Any:
    """The object, array or string in a text of JSON, also one that is encoded for a URL; None if it is no such text."""
    text = _decoded(text)
    if not text.startswith(("{", "[", '"')):
        return None
    try:
        return parse_json(text.encode())
    except ValueError:
        return None


def _decoded(text: str) -> str:
    """A text that begins with what it means: without what is not seen, and decoded if it is JSON encoded for a URL."""
    text = text.strip(INVISIBLE)
    if FOR_A_URL.match(text):
        text = unquote_plus(ENCODED_AGAIN.sub("%", text)).strip(INVISIBLE)
    return text


def rules(settings: CrmSettings) -> str:
    """A digest of all rules other than `personal_data` and its key. It changes when the rules change."""
    lists = {resource: resource_schema(resource).columns for resource in ENDPOINTS}
    arrays = {array: side_loaded_columns(array) for array in side_loaded_arrays()}
    declared = {
        f"{table}.{name}": [column.personal, *column.fields]
        for table, columns in {**lists, **arrays}.items()
        for name, column in columns.items()
    }
    described = json.dumps([VERSION, declared, sorted(_listed(settings))], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()


@lru_cache(maxsize=10_000)
def is_personal_name(field: str) -> bool:
    """Whether a field has the name of any resource's personal column, in any spelling: `E-Mail`, `firstName`."""
    return _folded(without_hash(field)) in _personal_names()


@cache
def _personal_names() -> frozenset[str]:
    return frozenset(
        _folded(name)
        for resource in ENDPOINTS
        for name, column in resource_schema(resource).columns.items()
        if column.personal
    )


def _folded(name: str) -> str:
    """The letters and digits of a name, which are the same in all its spellings."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold()))
