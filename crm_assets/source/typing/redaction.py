"""Removes what must not be stored, before anything else uses it: personal data, and fields that are never stored.

Personal data are left out, or replaced with keyed hashes.

An unknown field may hold personal data. So unless `personal_data` is keep, a field is kept only if a schema declares
it or `personal_data_allowed` lists it. This applies to records and to objects within them, at any depth.
"""

import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Collection, Container, Mapping
from functools import cache, lru_cache
from string import ascii_lowercase, ascii_uppercase
from typing import Any, NamedTuple

import orjson

from crm_assets.api import ENDPOINTS, ID
from crm_assets.settings import CrmSettings, PersonalData
from crm_assets.source.schemas import Column, resource_schema, side_loaded
from crm_assets.source.typing.columns import as_json, column_name, snake_case, without_hash
from crm_assets.source.typing.texts import AN_OBJECT, LOOKS, decoded, json_within, looks_like

A_HASH = re.compile("[0-9a-f]{64}")

A_NAME = re.compile(r"[^\W\d][\w-]{0,63}")
"""Keys that are shown as names of dropped fields. Others may be data, such as e-mail addresses."""


VERSION = 3
"""Changes when other values are redacted than before, so that stored ones are converted."""


class ValueRules(NamedTuple):
    """How the values within a column, or within an array of side-loaded records, are redacted.

    Attributes:
        within: The column or array, for `Redaction.dropped`.
        is_personal: Whether a whole value is personal, whatever the names of its fields.
        fields: Names of known fields to keep in objects. Those tagged as personal in any schema are redacted.
        typed: The data type of a column for numbers, times or booleans; empty for others. Strings are left out unless
            they look like one. If the column is personal, all is left out: it cannot hold a hash.
    """

    within: str
    is_personal: bool = False
    fields: Collection[str] = ()
    typed: str = ""


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
        self._rules = {
            name: ValueRules(
                name, column.personal, column.fields, column.data_type if column.data_type in LOOKS else ""
            )
            for name, column in columns.items()
        }
        self._is_hashed = is_hashed

    def records(self, records: list[Any]) -> None:
        """Redacts the records of a page in place, unless all personal data are kept."""
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
        if field in self._rules or self._lists(field):
            return True
        self.dropped.add(field if A_NAME.fullmatch(field) or is_personal_name(field) else "*")
        return False

    def _lists(self, field: str) -> bool:
        return not self._listed.isdisjoint(_names_of(field))

    def field(self, name: str, value: Any) -> Any:
        """The redacted value of a field that is kept."""
        try:
            redacted = self.value(value, self._rules.get(name) or ValueRules(name, is_personal_name(name)))
        except RecursionError:  # texts of JSON in each other
            self.dropped.add(f"{name}.*")
            redacted = None
        # An id that is left out becomes empty, not null: the record is rejected, and the reason names the type.
        is_left_out_id = name == ID and redacted is None and value is not None
        return type(value)() if is_left_out_id else redacted

    def value(self, value: Any, rules: ValueRules) -> Any:
        """Any JSON value, redacted: objects and arrays at any depth, and strings that are JSON. It is not changed."""
        drops_nulls = rules.is_personal or bool(rules.typed)
        if value is None or (rules.is_personal and rules.typed):
            return None
        if isinstance(value, dict):
            kept = self._object(value, rules)
            return None if drops_nulls and all(inner is None for inner in kept.values()) else kept
        if isinstance(value, list):
            items = [self.value(item, rules) for item in value]
            return [item for item in items if item is not None] or None if drops_nulls else items
        if isinstance(value, str):
            return self._hidden(value) if rules.is_personal else self._text(value, rules)
        return None if rules.is_personal else value

    def _object(self, value: dict[str, Any], rules: ValueRules) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for field, inner in value.items():
            listed = self._lists(field)
            if listed or field in rules.fields:
                hidden = is_personal_name(field) or (rules.is_personal and not listed)
                kept[field] = self.value(inner, ValueRules(rules.within, hidden, rules.fields))
            else:
                self.dropped.add(f"{rules.within}.*")
        return kept

    def _text(self, text: str, rules: ValueRules) -> str | None:
        if rules.typed and looks_like(rules.typed, text):
            return text
        redacted, parsed = None, json_within(text)
        if parsed is not None:
            redacted = self.value(parsed, rules)
            redacted = text if redacted == parsed else None if redacted is None else as_json(redacted)
        elif not rules.typed and not AN_OBJECT.match(decoded(text)):
            redacted = text
        if redacted is None:
            self.dropped.add(f"{rules.within} (no {rules.typed})" if rules.typed else f"{rules.within}.*")
        return redacted

    def _hidden(self, text: str) -> str | None:
        text = text.strip()  # as the models see it: a hash would make a blank look like an address or a name
        if self._policy is PersonalData.leave_out or not text:
            return None
        if self._is_hashed and A_HASH.fullmatch(text):
            return text
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


@cache
def never_stored() -> frozenset[str]:
    """The fields of all lists that are never stored: a record can hold records of other lists."""
    return frozenset(field for resource in ENDPOINTS for field in resource_schema(resource).never_stored)


FOLDED = bytes.maketrans(ascii_uppercase.encode() + b"+*@|", ascii_lowercase.encode() + b"xxal")
"""What snake case makes of letters, and of marks that look like some."""


def without_never_stored(records: list[Any], own: Container[str]) -> list[Any]:
    """Records without the fields `own`, and without those of any list within them."""
    # To look at all keys takes five times as long.
    try:
        text = orjson.dumps(records).translate(FOLDED)
    except orjson.JSONEncodeError:  # an integer of more than 64 bits
        text = None
    if text is not None and not any(max(field.split("_"), key=len).encode() in text for field in never_stored()):
        return records
    return [without_fields(own, record, within=never_stored()) for record in records]


def without_fields(fields: Container[str], value: Any, *, within: Container[str]) -> Any:
    """A JSON value without fields of these names in any spelling, and without the fields `within` at any depth."""
    if isinstance(value, list):
        return [without_fields(within, item, within=within) for item in value]
    if isinstance(value, dict):
        return {
            key: without_fields(within, item, within=within)
            for key, item in value.items()
            if snake_case(key) not in fields
        }
    return value


def _listed(settings: CrmSettings) -> frozenset[str]:
    return frozenset[str]().union(*map(_names_of, settings.personal_data_allowed))


@lru_cache(maxsize=10_000)
def _names_of(field: str) -> frozenset[str]:
    """How a field is sent, and how its column is called. Words that dlt gives one name have none of these in common."""
    return frozenset({field, column_name(without_hash(field))})


def rules(settings: CrmSettings) -> str:
    """A digest of all rules other than `personal_data` and its key. It changes when the rules change."""
    lists = {resource: resource_schema(resource).columns for resource in ENDPOINTS}
    declared = {
        f"{table}.{name}": [column.personal, *column.fields]
        for table, columns in {**lists, **side_loaded()}.items()
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
