"""Estimates the requests and the time of reads, from samples, settings and the API's rate-limit headers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from crm_assets.probing.lists import Order, Sample, order_of, pages_of
from crm_assets.settings import CrmSettings
from crm_assets.settings.endpoints import HOUR_MINUTES
from crm_assets.source.http.answers import seconds_until
from crm_assets.source.http.limits import HOUR, MINUTE
from crm_assets.source.http.session import MIN_SECONDS_TO_PREFETCH
from crm_assets.source.reading.incremental import updated_at
from crm_assets.source.reading.paginator import GUESSED_SHARE

LIMIT = ("X-RateLimit-Limit", "X-RateLimit-Total", "RateLimit-Limit")
REMAINING = ("X-RateLimit-Remaining", "RateLimit-Remaining")
RESET = ("X-RateLimit-Reset", "RateLimit-Reset")
COMBINED = ("RateLimit", "RateLimit-Policy", *LIMIT)
"""Names of rate-limit headers, old and new; the combined ones may hold several numbers."""

FIRST_NUMBER = re.compile(r"\s*(\d{1,15})\b")
COMBINED_LIMIT, COMBINED_REMAINING, COMBINED_PERIOD = (
    re.compile(rf"\b(?:{names})=(\d{{1,15}})\b") for names in ("q|limit", "r|remaining", "w")
)
DAY = 24 * HOUR


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


@dataclass(frozen=True)
class Allowance:
    """Requests that the API allows.

    Attributes:
        remaining: How many are left now; None if the API does not say.
        limit: How many it allows per period; None if it does not say.
        period: The length of the period in seconds.
        period_is_known: Whether the API gives the period. If not, an hour is assumed, or a day if the reset is further
            away.
    """

    remaining: int | None
    limit: int | None
    period: float
    period_is_known: bool


@dataclass(frozen=True)
class Schedules:
    """How many requests the schedules need, and how many are allowed.

    Attributes:
        every_hour: Requests of all incremental reads of an hour.
        busiest_hour: The same, plus the nightly full read.
        allowed: Requests allowed per hour by the API's headers and the settings; None without a limit.
        allowed_by: The setting with the lowest limit; empty if that is the API's, or there is none.
        fit: Whether the busiest hour stays within the limit; None if not known.
    """

    every_hour: int
    busiest_hour: int
    allowed: float | None
    allowed_by: str
    fit: bool | None


def allowance_of(headers: Mapping[str, str]) -> Allowance | None:
    """The API's rate limit from an answer's headers; None if they have none."""
    combined = [" ".join(headers.get(name, "") for name in COMBINED)]
    limit = _first(COMBINED_LIMIT, combined) or _first(FIRST_NUMBER, [headers.get(name, "") for name in LIMIT])
    remaining = _first(COMBINED_REMAINING, combined)
    if remaining is None:
        remaining = _first(FIRST_NUMBER, [headers.get(name, "") for name in REMAINING])
    if limit is None and remaining is None:
        return None
    period = _first(COMBINED_PERIOD, combined)
    reset = max(seconds_until(headers.get(name)) or 0.0 for name in RESET)
    return Allowance(remaining, limit, period or (HOUR if reset <= HOUR else DAY), period_is_known=bool(period))


def _first(pattern: re.Pattern[str], texts: Sequence[str]) -> int | None:
    return next((int(found[1]) for text in texts if (found := pattern.search(text))), None)


def full_read(sample: Sample) -> Requests | None:
    """The requests of a full read; None for a list that was not served.

    A read ends when it has as many records as the API counts, and the last page is shorter than others; otherwise with
    an empty page, whose number is not known without a total. A list with fewer records than its total is read twice.
    """
    if sample.first is None:
        return None
    if sample.total is None:
        ended = sample.last is None or not sample.last.records
        return Requests(len(sample.pages)) if ended else Requests(3, Bound.at_least)
    pages = sample.total // sample.page_size + 1 if sample.page_size else 1
    if not sample.page_size or sample.last is None or sample.last.records:
        return Requests(pages)
    if sample.last.refusal:
        return Requests(pages, Bound.at_most)
    if sample.page_size < sample.per_page:
        return Requests(pages_of(sample.total, sample.per_page) + 1)  # the first page was a short one
    return Requests(2 * pages, Bound.at_most)


def hourly_read(sample: Sample, settings: CrmSettings, now: datetime) -> Requests | None:
    """The requests of an incremental read an hour after the previous one; None for a list that was not served.

    Assumes as many changes as in the hour before `now`. A list that is not sorted is read in full.
    """
    full, order = full_read(sample), order_of(sample)
    if full is None or order is Order.refused:
        return None
    if order is not Order.honoured or full.number == 1:
        return full
    changed, counted = changed_since(sample, now - timedelta(seconds=HOUR + settings.incremental_lag))
    pages = pages_of(max(1, changed), sample.page_size) + 1  # the last one has nothing new
    pages += pages // GUESSED_SHARE  # fetched ahead in vain
    if full.bound is not Bound.at_least:
        pages = min(pages, full.number)
    return Requests(pages, Bound.about if counted else Bound.at_most)


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


def read_of_all(
    reads: Sequence[tuple[Sample, Requests | None]], settings: CrmSettings, allowance: Allowance | None
) -> Read:
    """Reads of several lists, one after the other."""
    served = [(sample, read) for sample, read in reads if read is not None]
    number = sum(read.number for _, read in served)
    bounds = {read.bound for _, read in served} - {Bound.about}
    if len(served) < len(reads):
        bounds.add(Bound.at_least)
    waits = [(-(-number // limit) - 1) * period for limit, period in rates(settings, allowance).values()]
    answering = sum(_seconds(sample, read.number, settings) for sample, read in served)
    return Read(Requests(number, bounds.pop() if len(bounds) == 1 else Bound.about), max(answering, *waits, 0.0))


def _seconds(sample: Sample, requests: int, settings: CrmSettings) -> float:
    """Seconds until all requests are answered: page 1 alone, then `max_in_flight` at a time."""
    at_a_time = settings.max_in_flight if sample.seconds >= MIN_SECONDS_TO_PREFETCH else 1
    return sample.seconds * (1 + (requests - 1) / at_a_time)


def rates(settings: CrmSettings, allowance: Allowance | None) -> dict[str, tuple[int, float]]:
    """Setting -> requests and period in seconds, of all rates that limit a read. The API's own has no setting: ""."""
    limits = {
        "": (allowance.limit, allowance.period) if allowance else (None, HOUR),
        "requests_per_minute": (settings.requests_per_minute, MINUTE),
        "requests_per_hour": (settings.requests_per_hour, HOUR),
    }
    return {name: (limit, period) for name, (limit, period) in limits.items() if limit}


def schedules(
    hourly: Mapping[str, Requests | None], full: Read, settings: CrmSettings, allowance: Allowance | None
) -> Schedules:
    """What the schedules take. They read each list incrementally, and once a day all of them in full.

    Args:
        hourly: List -> requests of an incremental read. There are as many in an hour as `cadence_minutes` says.
        full: A full read of all lists.
        settings: Those that limit requests.
        allowance: Those that the API allows.
    """
    reads = {resource: max(1, HOUR_MINUTES // settings.endpoint(resource).cadence_minutes) for resource in hourly}
    every_hour = sum(read.number * reads[resource] for resource, read in hourly.items() if read)
    busiest = every_hour + full.requests.number
    allowed = {name: limit * HOUR / period for name, (limit, period) in rates(settings, allowance).items()}
    allowed_by = min(allowed, key=allowed.__getitem__, default="")
    fit = busiest <= allowed[allowed_by] if allowed else None
    bounds = {full.requests.bound, *(read.bound if read else Bound.at_least for read in hourly.values())}
    if fit and Bound.at_least in bounds:
        fit = None  # more may be needed
    return Schedules(every_hour, busiest, allowed.get(allowed_by), allowed_by, fit)
