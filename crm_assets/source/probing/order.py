"""Whether a list comes newest first, and how much of it changes in an hour."""

from datetime import datetime
from enum import Enum

from crm_assets.source.probing.sample import Sample
from crm_assets.source.reading.incremental import updated_at


class Order(str, Enum):
    """How the API takes it that the newest changes are asked for first."""

    honoured = "yes"
    ignored = "no"
    refused = "refused"
    unknown = "unknown"


def order_of(sample: Sample) -> Order:
    """Unknown where less than two different instants were seen, or the list was not served."""
    if sample.order_refused:
        return Order.refused
    times = [at for page in (sample.first, sample.last) if page for at in updated_at(page.records) if at is not None]
    if len(set(times)) <= 1:
        return Order.unknown
    return Order.honoured if times == sorted(times, reverse=True) else Order.ignored


def changed_since(sample: Sample, since: datetime) -> tuple[int, bool]:
    """Records that were changed at or after an instant, and whether they were counted.

    Where all of the first page was, the pages behind it are taken to have changed as fast, which is most they can have:
    many changes are of few records. `sample` is of a list that comes newest first.
    """
    times = [at for at in updated_at(sample.first.records if sample.first else []) if at is not None]
    recent = sum(at >= since for at in times)
    if recent < len(times) or not times:
        return recent, True
    span = times[0] - times[-1]
    return (int(recent * ((times[0] - since) / span)) if span else recent), False
