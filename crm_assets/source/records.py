"""From a page as it came to records that can be loaded: unusable ones are set aside, secrets are dropped."""

from typing import Any

import dlt
from dlt.extract.items_transform import ItemTransform
from dlt.extract.pipe import SupportsPipe

from crm_assets.source.report import ReadReport, RejectedRecord
from crm_assets.source.schemas import ResourceSchema

BIGINT_RANGE = range(-(2**63), 2**63)


class LoadableRecords(ItemTransform[Any, dict[str, Any]]):
    """A dlt step that takes pages (lists) and passes on lists of records which have a usable id.

    Everything else is kept in the read's report: nothing is dropped silently.
    """

    def __init__(self, schema: ResourceSchema, report: ReadReport) -> None:
        """Prepares the step; nothing here is shared between reads."""
        super().__init__(self.__call__)
        self._never_stored = frozenset(schema.never_stored)
        self._report = report
        self._page = 0

    def bind(self, pipe: SupportsPipe) -> "LoadableRecords":
        """Accepts any pipe: the step keeps no state of it."""
        return self

    def __call__(self, item: Any, meta: Any = None) -> list[dict[str, Any]]:
        """Returns the loadable records of one page."""
        self._page += 1
        loadable = []
        for record in item:
            reason = why_not_loadable(record)
            if reason is None:
                loadable.append({key: value for key, value in record.items() if key not in self._never_stored})
            else:
                self._report.rejected.append(RejectedRecord(self._page, reason, self._without_secrets(record)))
        # An empty list would leave no table behind; this tells dlt to create it from the declared columns.
        return loadable or dlt.mark.materialize_table_schema()

    def _without_secrets(self, record: Any) -> Any:
        if not isinstance(record, dict):
            return record
        return {key: value for key, value in record.items() if key not in self._never_stored}


def record_id(record: Any) -> int | None:
    """The id of a record as a 64-bit integer, or None when it has none that could be a primary key."""
    value = record.get("id") if isinstance(record, dict) else None
    if isinstance(value, str) and value.lstrip("-").isdecimal() and value.isascii():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value in BIGINT_RANGE:
        return value
    return None


def why_not_loadable(record: Any) -> str | None:
    """The reason to set a record aside, or None when it can be loaded."""
    if not isinstance(record, dict):
        return f"not an object but {_json_type(record)}"
    if record.get("id") is None:
        return "no id"
    if record_id(record) is None:
        return f"the id is not a 64-bit integer but {_json_type(record['id'])}"
    return None


def _json_type(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
