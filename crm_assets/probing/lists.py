"""What the pages of a sample show about a list. Findings hold names, types and counts, never values."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain
from typing import Any

from crm_assets.api import ENDPOINTS, INCLUDE
from crm_assets.probing.sample import Sample
from crm_assets.source.http.page import Page
from crm_assets.source.reading.incremental import updated_at
from crm_assets.source.schemas import Column, resource_schema
from crm_assets.source.typing.batches import json_type, why_rejected
from crm_assets.source.typing.columns import typed_column
from crm_assets.source.typing.field_names import snake_case
from crm_assets.source.typing.redaction import A_NAME

NOT_SHOWN = "(not shown: may be data)"
"""Stands for keys that do not look like field names."""


class Order(str, Enum):
    """What the API does with a request to sort newest first."""

    honoured = "yes"
    ignored = "no"
    refused = "refused"
    unknown = "unknown"


@dataclass(frozen=True)
class OtherType:
    """Values of a declared field that do not fit its type: dlt's data type, and JSON type -> number of values."""

    declared: str
    sent: Mapping[str, int]


@dataclass(frozen=True)
class FieldFindings:
    """What differs from the declared fields.

    Attributes:
        undeclared: Fields that no schema declares; each becomes a column.
        never_sent: Declared fields that no record has.
        other_types: Field -> values of another type than declared.
        rejected: Reason -> number of records that cannot be loaded.
    """

    undeclared: Sequence[str] = ()
    never_sent: Sequence[str] = ()
    other_types: Mapping[str, OtherType] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Linked:
    """How many of the records are linked, and the `include` that would link them: None if unknown or already set."""

    records: int
    linked: int
    include: str | None


def order_of(sample: Sample) -> Order:
    """The order of a sample: unknown without `updated_at` in the schema, or two different times in it."""
    if sample.order_refused:
        return Order.refused
    times = [at for page in sample.pages for at in updated_at(page.records) if at is not None]
    if not resource_schema(sample.resource).has_updated_at or len(set(times)) <= 1:
        return Order.unknown
    return Order.honoured if times == sorted(times, reverse=True) else Order.ignored


def compare_fields(resource: str, pages: Sequence[Page]) -> FieldFindings:
    """Compares the records of some pages with a resource's schema. Without records there are no findings."""
    records = [record for page in pages for record in page.records if isinstance(record, dict)]
    without_id = [record for page in pages for record, id_ in zip(page.records, page.ids, strict=True) if id_ is None]
    rejected = dict(Counter(map(why_rejected, without_id)))
    if not records:
        return FieldFindings(rejected=rejected)
    schema = resource_schema(resource)
    sent = dict.fromkeys(chain.from_iterable(records))
    undeclared = [name for name in sent if name not in schema.columns and snake_case(name) not in schema.never_stored]
    other_types = {
        name: OtherType(column.data_type, kinds)
        for name, column in schema.columns.items()
        if (kinds := _misfits(column, [record.get(name) for record in records]))
    }
    return FieldFindings(
        undeclared=[*dict.fromkeys(name if A_NAME.fullmatch(name) else NOT_SHOWN for name in undeclared)],
        never_sent=[name for name in schema.columns if name not in sent],
        other_types=other_types,
        rejected=rejected,
    )


def _misfits(column: Column, values: Sequence[Any]) -> Mapping[str, int]:
    """JSON type -> number of values that do not fit the column."""
    _, misfits = typed_column(column.data_type, values)
    texts = misfits.to_pylist() if misfits is not None else [None] * len(values)
    return dict(Counter(json_type(value) for value, text in zip(values, texts, strict=True) if text is not None))


def count_links(resource: str, pages: Sequence[Page], params: Mapping[str, Any]) -> dict[str, Linked]:
    """`accounts` or `owners` -> how many of the records are linked to them. `params`: the list's query parameters."""
    records = [record if isinstance(record, dict) else {} for page in pages for record in page.records]
    return {
        link.to: Linked(
            records=len(records),
            linked=sum(any(record.get(name) not in (None, "", [], {}) for name in link.fields) for record in records),
            include=link.include if link.include not in includes(params) else None,
        )
        for link in ENDPOINTS[resource].links
    }


def missing_arrays(resource: str, pages: Sequence[Page], params: Mapping[str, Any]) -> dict[str, str]:
    """Side-loaded array that no answer has -> the `include` that adds it. Only those that are not set yet."""
    wanted = ENDPOINTS[resource].side_loads if any(page.records for page in pages) else {}
    sent = {name for page in pages for name in page.side_loaded}
    return {array: name for name, array in wanted.items() if array not in sent and name not in includes(params)}


def includes(params: Mapping[str, Any]) -> list[str]:
    """The values of `include` in a list's parameters."""
    return [name.strip() for name in str(params.get(INCLUDE, "")).split(",") if name.strip()]
