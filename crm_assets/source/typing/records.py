"""From pages as they came to batches that can be loaded: unusable records are set aside, secrets never get through."""

import re
from collections.abc import Iterator
from typing import Any

import dlt
import orjson
import pyarrow as pa
from dlt.common.storages.load_package import load_package_state
from dlt.extract.items import SupportsPipe
from dlt.extract.items_transform import ItemTransform

from crm_assets.source.errors import BadAnswer
from crm_assets.source.reading.read_ahead import page_of
from crm_assets.source.reading.report import ReadReport, RejectedRecord
from crm_assets.source.schemas import ResourceSchema
from crm_assets.source.typing.columns import arrow_table, one_by_one, variant_name
from crm_assets.source.typing.field_names import column_names, snake_case
from crm_assets.source.typing.values import BIGINT, as_json

BATCH_ROWS = 5000
"""Records of several pages go on together: an Arrow table costs the same for fifty rows as for thousands."""

DIGITS = re.compile("-?[0-9]+")

Batch = pa.Table | list[dict[str, Any]]


class LoadableBatches(ItemTransform[Any, dict[str, Any]]):
    """A dlt step that takes pages and yields Arrow tables, or lists of records where a page has undeclared fields.

    The latter take dlt's ordinary way, which adds columns to the table as it finds them.
    """

    def __init__(self, schema: ResourceSchema, report: ReadReport) -> None:
        """Prepares the step for one read."""
        super().__init__(self.__call__)
        self._schema = schema
        self._report = report
        self._never_stored = frozenset(schema.never_stored)
        self._declared = frozenset(schema.columns) | self._never_stored
        self._set_aside: set[tuple[int, int]] = set()
        self._waiting: list[dict[str, Any]] = []
        self._yielded = False

    def bind(self, pipe: SupportsPipe) -> "LoadableBatches":
        """Accepts any pipe: the step keeps no state of it."""
        return self

    def __call__(self, item: Any, meta: Any = None) -> Iterator[Any]:
        """Yields what is ready to be loaded once one more page (dlt's `PageData`) is there.

        Raises:
            BadAnswer: A value is nested so deeply that it cannot be written.
        """
        page = page_of(item.response.request)
        try:
            yield from self._batches(item, page)
        except RecursionError:
            raise BadAnswer(
                f"{self._report.resource}, page {page}: a record is nested more deeply than can be stored"
            ) from None

    def _batches(self, item: Any, page: int) -> Iterator[Any]:
        records = self._loadable(item, page)
        if all(self._declared.issuperset(record) for record in records):
            self._waiting += records
        else:
            yield [self._fitted(record) for record in records]
            self._yielded = True
        last_page = not item.paginator.has_next_page
        if self._waiting and (last_page or len(self._waiting) >= BATCH_ROWS):
            batch, self._waiting = self._waiting, []
            yield arrow_table(batch, self._schema.columns, load_package_state()["load_id"])
            self._yielded = True
        if last_page and not self._yielded:
            # Nothing at all would leave no table behind; this has it created from the declared columns.
            yield dlt.mark.materialize_table_schema()

    def _loadable(self, records: list[Any], page: int) -> list[dict[str, Any]]:
        loadable = []
        for position, record in enumerate(records):
            reason = why_not_loadable(record)
            if reason is None:
                loadable.append(record)
            elif (page, position) not in self._set_aside:  # a page can be read twice
                self._set_aside.add((page, position))
                self._report.rejected.append(RejectedRecord(page, reason, as_json(self._without_secrets(record))))
        return loadable

    def _without_secrets(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._without_secrets(item) for item in value]
        if isinstance(value, dict):
            return {key: self._without_secrets(item) for key, item in value.items() if not self._is_secret(key)}
        return value

    def _is_secret(self, key: str) -> bool:
        return snake_case(key) in self._never_stored

    def _fitted(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record for dlt's ordinary way, its declared fields fitted just as an Arrow table would hold them."""
        undeclared = [key for key in record if key not in self._declared and not self._is_secret(key)]
        fitted: dict[str, Any] = {}
        for key, name in column_names(undeclared, self._declared).items():
            if _is_plain(record[key]):
                fitted[name] = record[key]
            else:
                fitted[variant_name(name)] = as_json(record[key])
        for name, column in self._schema.columns.items():
            [fitted[name]], [misfit] = one_by_one(column.data_type, [record.get(name)])
            if column.data_type == "json" and fitted[name] is not None:
                # dlt parses texts of JSON columns, which would round long integers, and writes texts found in them as
                # they are: so the text goes into a text.
                fitted[name] = as_json(fitted[name])
            if misfit is not None:
                fitted[variant_name(name)] = misfit
        return fitted


def _is_plain(value: Any) -> bool:
    """Whether dlt's ordinary way keeps the value: it knows no long integers, and bears some nesting only."""
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return not isinstance(value, int) or value in BIGINT


def record_id(record: Any) -> int | None:
    """The id of a record as a 64-bit integer, or None when it has none that could be a primary key."""
    value = record.get("id") if isinstance(record, dict) else None
    if isinstance(value, str) and len(value) <= len(str(BIGINT.start)) and DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value in BIGINT:
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
