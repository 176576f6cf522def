"""Makes Arrow tables from pages. Records without an id are rejected, forgotten ones skipped.

A declared field has its declared type. Any other field has the type of its stored column, or a type that is chosen
once, from its first values. Undeclared fields beyond a limit share one JSON column.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from secrets import token_urlsafe
from typing import Any

import dlt
import pyarrow as pa

from crm_assets.api import ENDPOINTS, ID
from crm_assets.source.http.page import Page, json_type
from crm_assets.source.schemas import resource_schema
from crm_assets.source.typing.columns import (
    FURTHER,
    MAX_NAME_LENGTH,
    as_json,
    column_names,
    narrowest_type,
    snake_case,
    typed_column,
    variant_name,
    without_hash,
)
from crm_assets.source.typing.texts import json_within

BATCH_ROWS = 5000
"""Records per Arrow table. Making one takes about as long for fifty rows as for thousands."""

BATCH_BYTES = 8 * 2**20
"""Bytes of the answers for an Arrow table: parsed, an answer of many small values takes ten times its size."""

POSITION = "_dlt_position"
"""The column for the order in which records were received. It is not stored."""

ROW_ID_BYTES = 10
"""Random bytes of a row id, as many as dlt's own row ids have."""

MAX_REJECTED = 50_000
"""The number of different rejected records of a read that are stored. Others are counted."""


@dataclass
class RejectedRecord:
    """A record that cannot be loaded.

    Attributes:
        page: The first page that had it; counts from 1.
        reason: Why it cannot be loaded.
        record: The record as JSON text; None stands for all records beyond `MAX_REJECTED`.
        records: How many equal records the list had.
    """

    page: int
    reason: str
    record: str | None
    records: int = 0


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


class RecordBatches:
    """Makes Arrow tables from the pages of one read.

    Attributes:
        types: Column -> data type of all columns known so far: declared, stored, and found in this read.
        rows: Records yielded so far.
        skipped: Hashes of forgotten ids that the CRM still lists.
    """

    def __init__(self, resource: str, stored: Mapping[str, str], forgotten: Forgotten, max_undeclared: int) -> None:
        """Starts empty.

        Args:
            resource: Whose columns are declared.
            stored: Column -> data type of the table's columns.
            forgotten: Records that are left out.
            max_undeclared: Undeclared columns that the table may have.
        """
        schema = resource_schema(resource)
        declared = {name: column.data_type for name, column in schema.columns.items()}
        self.types = {**stored, **declared, FURTHER: "json"}
        self._rejected: dict[tuple[str, str | None], RejectedRecord] = {}
        self.rows = 0
        self.skipped: set[str] = set()
        self._resource = resource
        self._forgotten = forgotten
        self._declared = frozenset(schema.columns)
        self._max_undeclared = max_undeclared
        self._pages_seen: set[int] = set()
        self._waiting: list[dict[str, Any]] = []
        self._bytes = 0

    def tables(self, page: Page, *, is_last: bool) -> Iterator[Any]:
        """Takes the next page. Yields an Arrow table if enough records have come, or the page is the last one."""
        self._waiting += self._loadable(page)
        self._bytes += page.size
        is_enough = len(self._waiting) >= BATCH_ROWS or self._bytes >= BATCH_BYTES
        if self._waiting and (is_last or is_enough):
            table, self._waiting, self._bytes = self._table(self._waiting), [], 0
            self.rows += len(table)  # before the table is yielded: dlt asks for the next page first
            yield table
        if is_last and not self.rows:
            # Without it dlt would make no load package, and dagster-dlt would not have a result.
            yield dlt.mark.materialize_table_schema()

    @property
    def rejected(self) -> Sequence[RejectedRecord]:
        """Records that cannot be loaded: one for each different record and reason."""
        return tuple(self._rejected.values())

    def _loadable(self, page: Page) -> list[dict[str, Any]]:
        records = list(zip(page.ids, page.records, strict=True))
        for id_, record in records:
            if id_ is None:
                self._reject(page.number, record)
        self._pages_seen.add(page.number)
        return [record for id_, record in records if id_ is not None and not self._skips(id_)]

    def _reject(self, page: int, record: Any) -> None:
        is_forgotten = self._forgotten.matching_within(self._resource, record)
        key: tuple[str, str | None] = why_rejected(record), as_json(None if is_forgotten else record)
        if key not in self._rejected and len(self._rejected) >= MAX_REJECTED:
            key = key[0], None
        rejected = self._rejected.setdefault(key, RejectedRecord(page, *key))
        if page not in self._pages_seen or not rejected.records:  # a page can be read twice
            rejected.records += 1

    def _skips(self, id_: int) -> bool:
        hashed = self._forgotten.matching(self._resource, id_)
        if hashed:
            self.skipped.add(hashed)
        return hashed is not None

    def _table(self, records: list[dict[str, Any]]) -> pa.Table:
        """One row per record, with variant columns for values that do not fit, and dlt's own id."""
        arrays: dict[str, pa.Array] = {}
        for name, values in self._columns(records):
            data_type = self.types.get(name) or narrowest_type(values)
            if data_type is None:
                continue  # only nulls: the type is not known yet
            self.types[name] = data_type
            arrays[name], misfits = typed_column(data_type, values)
            if misfits is not None:
                arrays[variant_name(name)] = misfits
        arrays[POSITION] = pa.array(range(self.rows, self.rows + len(records)), pa.int64())
        arrays["_dlt_id"] = pa.array([token_urlsafe(ROW_ID_BYTES) for _ in records], pa.string())
        return pa.table(arrays)

    def _columns(self, records: list[dict[str, Any]]) -> Iterator[tuple[str, Sequence[Any]]]:
        """Column -> one value per record, None for records without the field.

        If two undeclared fields would share a column, the fields of each record are renamed first, each record on its
        own. A declared column that no record has a field for takes one that is spelled otherwise, as `fooBar` is, but
        not if earlier records had both.
        """
        fields = _fields(records)
        had_both = {without_hash(name) for name in self.types if name != without_hash(name)}
        taken = self._declared & (fields.keys() | had_both)
        columns = self._columns_of(fields, taken)
        undeclared = columns.keys() - self._declared
        if len(set(map(snake_case, undeclared))) < len(undeclared):
            records = [
                {name: record[key] for key, name in self._columns_of(record, taken).items()} for record in records
            ]
            fields = _fields(records)
            columns = {name: name for name in fields}  # already named: naming twice would change some
        if without := self._without_columns(records, columns):
            yield FURTHER, [_named(record, columns, without) for record in records]
            records = [{key: record[key] for key in record if key not in without} for record in records]
            fields = _fields(records)
        for key, values in zip(fields, _transposed(records, fields), strict=True):
            yield columns[key], values

    def _without_columns(self, records: Sequence[dict[str, Any]], columns: Mapping[str, str]) -> set[str]:
        """The new undeclared fields that get no column: their names are too long, or the table has no more columns.

        Fields that come first get one.
        """
        new = {field for field, name in columns.items() if name not in self.types}
        short = {field for field in new if len(columns[field]) <= MAX_NAME_LENGTH}
        room = self._max_undeclared - len(self.types.keys() - self._declared - {FURTHER})
        if len(short) <= room:
            return new - short
        valued = {field for record in records for field, value in record.items() if value is not None}
        return new - set(list(filter((short & valued).__contains__, columns))[: max(0, room)])

    def _columns_of(self, fields: Iterable[str], taken: Collection[str]) -> dict[str, str]:
        """Field -> column. Undeclared ones get none of the `taken`."""
        undeclared = [field for field in fields if field not in self._declared]
        return {name: name for name in fields if name in self._declared} | column_names(undeclared, taken)


def why_rejected(record: Any) -> str:
    """Why a record without a usable id cannot be loaded."""
    if not isinstance(record, dict):
        return f"not an object but {json_type(record)}"
    if record.get(ID) is None:
        return "no id"
    return f"the id is not a 64-bit integer but {json_type(record[ID])}"


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


def _named(record: Mapping[str, Any], columns: Mapping[str, str], fields: set[str]) -> dict[str, Any] | None:
    """The values of some of a record's fields by the names of their columns, sorted; None if all are null."""
    values = {columns[key]: value for key, value in record.items() if key in fields and value is not None}
    return dict(sorted(values.items())) or None


def _fields(records: Sequence[dict[str, Any]]) -> dict[str, None]:
    """All fields, in the order in which they come first."""
    # Most records have the same fields: looking at them once takes half of the time, or less.
    return dict.fromkeys(chain.from_iterable(dict.fromkeys(map(tuple, records))))


def _transposed(records: Sequence[dict[str, Any]], fields: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
    """The records' values by field."""
    in_order = tuple(fields)
    if all(tuple(record) == in_order for record in records):
        return zip(*map(dict.values, records), strict=True)
    # One copy and one look-up per record takes a fourth of the time of one look-up per field.
    look_up = itemgetter(*in_order)
    return zip(*[look_up({**fields, **record}) for record in records], strict=True)
