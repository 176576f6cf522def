"""Estimates the requests and the time of reads, from samples, settings and the API's rate-limit headers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from crm_assets.probing.sample import NO_PAGE, Sample, pages_of
from crm_assets.settings import CrmSettings
from crm_assets.settings.crm import HOUR_MINUTES
from crm_assets.source.http.answers import seconds_until
from crm_assets.source.http.limits import HOUR, Rate, limits_of
from crm_assets.source.http.session import MIN_SECONDS_TO_PREFETCH
from crm_assets.source.reading.incremental import updated_at
from crm_assets.source.reading.paginator import GUESSED_SHARE

RESET = ("X-RateLimit-Reset", "RateLimit-Reset")
LIMIT, REMAINING, PERIOD = (
    re.compile(rf"\b(?:{names})=\s*(\d{{1,15}})\b") for names in ("q|limit|total", "r|remaining", "w")
)
"""Numbers in rate-limit headers, old and new, each written as NAME=VALUE. Values may have names of their own."""

DAY = 24 * HOUR

Bound = Literal["about", "at least", "at most"]
"""How exact an estimate is."""


@dataclass(frozen=True)
class Read:
    """The requests of a read and the seconds that they take, waits for rate limits included, loading excluded.

    Attributes:
        requests: How many.
        bound: Whether that is an estimate, or only a lower or upper limit.
        seconds: From the first request to the last answer.
    """

    requests: int
    bound: Bound
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
    named = sorted((name.lower(), value) for name, value in headers.items() if "ratelimit" in name.lower())
    written = " ".join(f"{name}={value}" for name, value in named)  # new names come first, without X-
    found = [pattern.search(written) for pattern in (LIMIT, REMAINING, PERIOD)]
    limit, remaining, period = (int(match[1]) if match else None for match in found)
    if limit is None and remaining is None:
        return None
    reset = max(seconds_until(headers, name) or 0.0 for name in RESET)
    return Allowance(remaining, limit, period or (HOUR if reset <= HOUR else DAY), period_is_known=bool(period))


def full_read(sample: Sample) -> Read | None:
    """A full read of a list; None for a list that was not served.

    A read ends when it has as many records as the API counts, and the last page is shorter than others; otherwise with
    two empty pages, whose numbers are unknown without a total. A list with fewer records than the total is read twice.
    """
    if sample.first is NO_PAGE:
        return None
    total, size, last = sample.first.total, len(sample.first.records), sample.last
    if total is None:
        return _read(sample, 4, "at least") if last.records else _read(sample, 2 if last is NO_PAGE else 3)
    pages = total // size + 1 if size else 1
    if last.refusal:
        return _read(sample, pages, "at most")
    if last.records or last is NO_PAGE:
        return _read(sample, pages)
    if size < sample.settings.per_page:
        return _read(sample, pages_of(total, sample.settings.per_page) + 1)  # the first page was a short one
    return _read(sample, 2 * pages, "at most")


def incremental_read(sample: Sample, since: datetime) -> Read | None:
    """An incremental read of the changes since a time; None for a list that cannot be read so.

    If all records of page 1 were changed since then, the same rate is assumed for later pages. This is an upper limit,
    since records changed repeatedly count once. A list that is not sorted is read in full.
    """
    full = full_read(sample)
    if sample.order != "yes" or full is None or full.requests == 1:
        return None if sample.order == "refused" else full
    times = [at for at in updated_at(sample.first.records) if at is not None]
    changed = sum(at >= since for at in times)
    is_all = 0 < changed == len(times)
    if is_all and (span := times[0] - times[-1]):
        changed = int(changed * ((times[0] - since) / span))
    pages = pages_of(max(1, changed), len(sample.first.records)) + 1  # the last one has nothing new
    pages += pages // GUESSED_SHARE  # fetched ahead in vain
    if full.bound != "at least":
        pages = min(pages, full.requests)
    return _read(sample, pages, "at most" if is_all else "about")


def _read(sample: Sample, pages: int, bound: Bound = "about") -> Read:
    """A read of so many pages: page 1 alone, then `max_in_flight` at a time."""
    at_a_time = sample.settings.max_in_flight if sample.seconds >= MIN_SECONDS_TO_PREFETCH else 1
    return Read(pages, bound, sample.seconds * (1 + (pages - 1) / at_a_time))


def rates(settings: CrmSettings, allowance: Allowance | None) -> list[Rate]:
    """All rates that limit a read. The API's own has no setting."""
    own = [Rate("", allowance.limit, allowance.period)] if allowance and allowance.limit else []
    return [*own, *limits_of(settings).rates]


def total(reads: Sequence[Read | None], limits: Sequence[Rate]) -> Read:
    """Reads of several lists, one after the other. None stands for one that cannot be read."""
    requests = sum(read.requests for read in reads if read)
    bounds = {read.bound if read else "at least" for read in reads} - {"about"}
    waits = [(pages_of(requests, rate.requests) - 1) * rate.period for rate in limits]
    seconds = max(sum(read.seconds for read in reads if read), *waits, 0.0)
    return Read(requests, bounds.pop() if len(bounds) == 1 else "about", seconds)


def schedules(
    hourly: Mapping[str, Read | None], full: Read, settings: CrmSettings, limits: Sequence[Rate]
) -> Schedules:
    """What the schedules take. They read each list incrementally, and once a day all of them in full.

    Args:
        hourly: List -> its incremental read. There are as many in an hour as `cadence_minutes` says.
        full: A full read of all lists.
        settings: Have the cadences.
        limits: All rates that limit a read.
    """
    often = {resource: max(1, HOUR_MINUTES // settings.endpoint(resource).cadence_minutes) for resource in hourly}
    every_hour = sum(read.requests * often[resource] for resource, read in hourly.items() if read)
    busiest = every_hour + full.requests
    strictest = min(limits, key=lambda rate: rate.requests / rate.period, default=None)
    allowed = strictest.requests * HOUR / strictest.period if strictest else None
    may_be_more = "at least" in {full.bound, *(read.bound if read else "at least" for read in hourly.values())}
    fit = None if allowed is None or (busiest <= allowed and may_be_more) else busiest <= allowed
    return Schedules(every_hour, busiest, allowed, strictest.setting if strictest else "", fit)
