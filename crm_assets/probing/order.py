"""Whether the API sorts a list newest first, and how many records change in an hour."""

from datetime import datetime
from enum import Enum

from crm_assets.probing.sample import Sample
from crm_assets.source.reading.incremental import updated_at
from crm_assets.source.schemas import resource_schema


class Order(str, Enum):
    """What the API does with a request to sort newest first."""

    honoured = "yes"
    ignored = "no"
    refused = "refused"
    unknown = "unknown"


def order_of(sample: Sample) -> Order:
    """The order of a sample: unknown without `updated_at` in the schema, or two different times in it."""
    if sample.order_refused:
        return Order.refused
    if not resource_schema(sample.resource).has_updated_at:
        return Order.unknown
    times = [at for page in (sample.first, sample.last) if page for at in updated_at(page.records) if at is not None]
    if len(set(times)) <= 1:
        return Order.unknown
    return Order.honoured if times == sorted(times, reverse=True) else Order.ignored


def changed_since(sample: Sample, since: datetime) -> tuple[int, bool]:
    """How many records were changed at or after `since`, and whether that is a count or an upper limit.

    If all records of the first page were, the same rate is assumed for later pages. This is an upper limit, since
    records changed repeatedly count once. `sample` must be of a list that is sorted newest first.
    """
    times = [at for at in updated_at(sample.first.records if sample.first else []) if at is not None]
    recent = sum(at >= since for at in times)
    if recent < len(times) or not times:
        return recent, True
    span = times[0] - times[-1]
    return (int(recent * ((times[0] - since) / span)) if span else recent), False
