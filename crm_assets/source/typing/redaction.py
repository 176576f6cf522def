"""Personal data that are not to be kept: left out, or replaced with keyed hashes, before anything else sees them."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

from crm_assets.settings import CrmSettings, PersonalData
from crm_assets.source.schemas import Column
from crm_assets.source.typing.columns import as_text

HASHED_TYPES = frozenset({"text", "json"})
"""Types that can hold a hash. A personal date or number is left out instead."""


def redact(records: list[Any], columns: Mapping[str, Column], settings: CrmSettings) -> None:
    """Changes records in place, as `personal_data` says. Only declared columns are known to be personal.

    The same value has the same hash under the same key, in every column and resource, so that joins still work.
    """
    if settings.personal_data is PersonalData.keep:
        return
    replaced = {
        name: _replacement(column, settings.personal_data, settings.hash_key)
        for name, column in columns.items()
        if column.personal
    }
    for record in records:
        if isinstance(record, dict):
            for name in replaced.keys() & record.keys():
                if record[name] is not None:
                    record[name] = replaced[name](record[name])


def _replacement(column: Column, how: PersonalData, key: bytes) -> Callable[[Any], str | None]:
    if how is PersonalData.leave_out or column.data_type not in HASHED_TYPES:
        return lambda _: None
    return lambda value: hmac.new(key, as_text(value).encode(), hashlib.sha256).hexdigest()
