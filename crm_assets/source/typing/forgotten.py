"""Forgotten records: known by salted hashes of their ids, and skipped when the CRM lists them again."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from crm_assets.api import ENDPOINTS, ID
from crm_assets.source.typing.columns import snake_case
from crm_assets.source.typing.texts import json_within


@dataclass(frozen=True)
class Forgotten:
    """The ids of records to skip.

    Attributes:
        salt: The salt of this database's hashes.
        hashes: Resource -> hashes of its forgotten ids.
    """

    salt: str = ""
    hashes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def matching(self, resource: str, id_: int) -> str | None:
        """The hash of a record's id if it is forgotten, else None."""
        hashes = self.hashes.get(resource)
        if not hashes:
            return None
        hashed = id_hash(self.salt, resource, id_)
        return hashed if hashed in hashes else None

    def matching_array(self, array: str, id_: int) -> bool:
        """Whether a record of a side-loaded array, which may have the name of lists, is forgotten in one of them."""
        lists = (name for name, endpoint in ENDPOINTS.items() if endpoint.data_selector == array)
        return any(self.matching(name, id_) for name in lists)

    def matching_within(self, resource: str, record: Any) -> bool:
        """Whether a rejected record, or a record within it, has a forgotten id in any form."""
        return bool(self.hashes.get(resource)) and any(self.matching(resource, id_) for id_ in ids_within(record))


def id_hash(salt: str, resource: str, id_: int) -> str:
    """The salted hash of an id, as hexadecimal digits."""
    return hashlib.blake2b(f"{resource} {id_}".encode(), key=salt.encode(), digest_size=32).hexdigest()


def ids_within(record: Any) -> Iterator[int]:
    """All ids of a rejected record, in any form: also in lists, in texts of JSON, and in an object around it."""
    if isinstance(record, str):
        record = json_within(record)
    if isinstance(record, list):
        for item in record:
            yield from ids_within(item)
    elif isinstance(record, dict):
        own = [value for field, value in record.items() if snake_case(field) == ID]
        for value in own:
            yield from _integers(value)
        if not own and len(record) == 1:
            yield from ids_within(*record.values())


def _integers(value: Any) -> Iterator[int]:
    """The integers in the place of an id: as a number or a text, also `7.0`, or within an array or object."""
    if isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _integers(item)
        return
    whole, _, fraction = str(value).strip().partition(".")
    with suppress(ValueError):
        yield int(whole if not fraction.strip("0") else "")
