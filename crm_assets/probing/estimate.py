"""Estimates the requests and the time of reads, from the samples and the settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from crm_assets.probing.allowance import Allowance
from crm_assets.probing.order import Order, changed_since, order_of
from crm_assets.probing.sample import Sample, pages_of
from crm_assets.settings import CrmSettings
from crm_assets.source.http.limits import HOUR, MINUTE
from crm_assets.source.http.session import WORTH_A_THREAD
from crm_assets.source.reading.paginator import GUESSED_SHARE


class Bound(str, Enum):
    """How exact an estimate is."""

    about = "about"
    at_least = "at least"
    at_most = "at most"


@dataclass(frozen=True)
class Requests:
    """Requests of a read. `bound`: whether the number is an estimate or only a lower or upper limit."""

    number: int
    bound: Bound = Bound.about


@dataclass(frozen=True)
class Read:
    """Requests of a read and the seconds that they take, waits for rate limits included, loading excluded."""

    requests: Requests
    seconds: float


def full_read(sample: Sample) -> Requests | None:
    """The requests of a full read; None for a list that was not served.

    A read ends when it has as many records as the API counts, and the last page is shorter than others; otherwise with
    an empty page, whose number is not known without a total. A list with fewer records than its total is read twice.
    """
    if sample.first is None:
        return None
    if sample.total is None:
        return _without_total(sample)
    pages = sample.total // sample.page_size + 1 if sample.page_size else 1
    if not sample.page_size or sample.last is None or sample.last.records:
        return Requests(pages)
    if sample.last.refusal:
        return Requests(pages, Bound.at_most)
    if sample.page_size < sample.per_page:
        return Requests(pages_of(sample.total, sample.per_page) + 1)  # the first page was a short one
    return Requests(2 * pages, Bound.at_most)


def _without_total(sample: Sample) -> Requests:
    if sample.last is None:
        return Requests(1)
    return Requests(3, Bound.at_least) if sample.last.records else Requests(2)


def hourly_read(sample: Sample, settings: CrmSettings, now: datetime) -> Requests | None:
    """The requests of an incremental read an hour after the previous one; None for a list that was not served.

    Assumes as many changes as in the hour before `now`. A list that is not sorted is read in full.
    """
    full = full_read(sample)
    if full is None or order_of(sample) is Order.refused:
        return None
    if order_of(sample) is not Order.honoured or full.number == 1:
        return full
    lag = timedelta(seconds=settings.incremental_lag)
    changed, counted = changed_since(sample, now - timedelta(seconds=HOUR) - lag)
    pages = pages_of(max(1, changed), sample.page_size) + 1  # the last one has nothing new
    pages += pages // GUESSED_SHARE  # fetched ahead in vain
    if full.bound is not Bound.at_least:
        pages = min(pages, full.number)
    return Requests(pages, Bound.about if counted else Bound.at_most)


def read_of_all(
    reads: Sequence[tuple[Sample, Requests | None]], settings: CrmSettings, allowance: Allowance | None
) -> Read:
    """Reads of several lists, one after the other."""
    served = [(sample, read) for sample, read in reads if read is not None]
    number = sum(read.number for _, read in served)
    bounds = {read.bound for _, read in served} - {Bound.about}
    if len(served) < len(reads):
        bounds.add(Bound.at_least)
    rates = [(settings.requests_per_minute, MINUTE), (settings.requests_per_hour, HOUR)]
    if allowance:
        rates.append((allowance.limit, allowance.period))
    waits = [(-(-number // rate) - 1) * period for rate, period in rates if rate]
    answering = sum(_answering(sample, read.number, settings) for sample, read in served)
    return Read(Requests(number, bounds.pop() if len(bounds) == 1 else Bound.about), max(answering, *waits, 0.0))


def _answering(sample: Sample, requests: int, settings: CrmSettings) -> float:
    """Seconds until all requests are answered: page 1 alone, then `max_in_flight` at a time."""
    at_a_time = settings.max_in_flight if sample.seconds >= WORTH_A_THREAD else 1
    return sample.seconds * (1 + (requests - 1) / at_a_time)
