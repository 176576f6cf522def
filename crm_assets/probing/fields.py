"""Compares the fields of records with the declared ones. Findings hold names, types and counts, never values."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from crm_assets.source.http.page import Page
from crm_assets.source.schemas import Column, resource_schema
from crm_assets.source.typing.batches import json_type, why_rejected
from crm_assets.source.typing.columns import typed_column
from crm_assets.source.typing.field_names import snake_case
from crm_assets.source.typing.redaction import A_NAME

NOT_SHOWN = "(not shown: may be data)"
"""Stands for keys that do not look like field names."""


@dataclass(frozen=True)
class OtherType:
    """Values of a declared field that do not fit its type.

    Attributes:
        declared: dlt's data type.
        sent: JSON type -> number of values.
    """

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


def compare_fields(resource: str, pages: Iterable[Page]) -> FieldFindings:
    """Compares the records of some pages with a resource's schema. Without records there are no findings."""
    seen = list(pages)
    records = [record for page in seen for record in page.records if isinstance(record, dict)]
    without_id = [record for page in seen for record, id_ in zip(page.records, page.ids, strict=True) if id_ is None]
    rejected = dict(Counter(map(why_rejected, without_id)))
    if not records:
        return FieldFindings(rejected=rejected)
    schema = resource_schema(resource)
    sent = dict.fromkeys(chain.from_iterable(records))
    known = schema.columns.keys() | schema.never_stored.keys()
    return FieldFindings(
        undeclared=[
            *dict.fromkeys(
                name if A_NAME.fullmatch(name) else NOT_SHOWN
                for name in sent
                if name not in known and snake_case(name) not in schema.never_stored
            )
        ],
        never_sent=[name for name in schema.columns if name not in sent],
        other_types={
            name: OtherType(column.data_type, kinds)
            for name, column in schema.columns.items()
            if (kinds := _misfits(column, [record.get(name) for record in records]))
        },
        rejected=rejected,
    )


def _misfits(column: Column, values: Sequence[Any]) -> Mapping[str, int]:
    """JSON type -> number of values that do not fit the column."""
    _, misfits = typed_column(column.data_type, values)
    if misfits is None:
        return {}
    texts = misfits.to_pylist()
    return dict(Counter(json_type(value) for value, text in zip(values, texts, strict=True) if text is not None))
