"""A sample of one list, at most two pages read through the real source, and what it foretells: requests and limits.

A sample holds values, which findings never do.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from dlt.extract.exceptions import ResourceExtractionError
from dlt.sources.helpers.rest_client.paginators import SinglePagePaginator

from crm_assets.api import NEWEST_FIRST, PAGE
from crm_assets.errors import ApiError
from crm_assets.settings import CrmSettings
from crm_assets.source.crm_source import dlt_context, list_source
from crm_assets.source.http.answers import OK, RATE_LIMITS, TOO_MANY_REQUESTS, Answer, seconds_until
from crm_assets.source.http.limits import HOUR
from crm_assets.source.http.page import Page
from crm_assets.source.http.session import MIN_SECONDS_TO_PREFETCH, PageSession
from crm_assets.source.reading.incremental import updated_at
from crm_assets.source.reading.paginator import GUESSED_SHARE
from crm_assets.source.schemas import resource_schema

LONGEST_WAIT = 10.0
"""If the API asks to wait for more seconds, the next request is left out: a user is waiting for the result."""

MAY_MEAN_THE_ORDER = frozenset({400, 422})
"""Statuses with which an API may refuse an unknown sort order."""

NO_PAGE = Page(0, [])
"""Stands for a page that was not requested, or not served."""

Order = Literal["yes", "no", "refused", "unknown"]
"""Whether the API sorts newest first when asked to."""


@dataclass(frozen=True)
class Sample:
    """The first page of a list and its last one.

    Attributes:
        resource: The list.
        settings: Those it was read with.
        requests: Requests sent.
        answers: The answers received.
        first: Page 1, newest first if the API sorts.
        last: The last page by the API's count, or page 2 without a count; `NO_PAGE` if page 1 is the last.
        error: Why a page is missing; empty if none is.
        order: Whether the API sorts. If it refuses to, page 1 is not sorted, and no other page is requested.
    """

    resource: str
    settings: CrmSettings
    requests: int
    answers: Sequence[Answer]
    first: Page
    last: Page
    error: str
    order: Order

    @property
    def records(self) -> list[Any]:
        """The records of both pages."""
        return [*self.first.records, *self.last.records]

    @property
    def seconds(self) -> float:
        """Average seconds for an answer."""
        return sum(answer.seconds for answer in self.answers) / max(1, len(self.answers))


def pages_of(records: int, page_size: int) -> int:
    """How many pages the records fill."""
    return -(-records // page_size)  # integers only: an API may claim any total


def take_sample(
    resource: str, settings: CrmSettings, answers: list[Answer], announce: Callable[[str], object]
) -> Sample:
    """Requests the first page as an incremental read does, if there can be one, and then the last one.

    The first answer shows fields, number of records and order; the second one whether the API serves the whole list.
    If the API refuses the order, the second request is for the first page of a full read. Nothing is retried, so that
    transient errors show. Records are not redacted: they are only compared with the schema.

    Args:
        resource: The list.
        settings: Must have a base URL and a key.
        answers: Those to earlier requests of this check. The new ones are added.
        announce: Called with a message about each long wait.
    """
    once = settings.model_copy(update={"request_max_attempts": 1})
    newest_first = NEWEST_FIRST if resource_schema(resource).has_updated_at else {}
    earlier, last = len(answers), NO_PAGE
    order: Order = "unknown"

    def read(number: int, params: Mapping[str, str]) -> tuple[Page, str]:
        """One page, and why it was not served; empty if it was."""
        if answers and (wait := _wait_after(answers[-1])) > LONGEST_WAIT:
            return NO_PAGE, f"page {number}: not requested, since the API asks to wait {wait:,.0f} s"
        try:
            with dlt_context():
                [page] = list_source(session, SinglePagePaginator(), {PAGE: number, **params})
        except ResourceExtractionError as error:
            if isinstance(error.__cause__, ApiError):
                return NO_PAGE, str(error.__cause__).removeprefix(f"{resource}, ")
            raise
        return (NO_PAGE, str(page.failure).removeprefix(f"{resource}, ")) if page.failure else (page, "")

    with closing(PageSession(once, resource, lambda _: None, announce, answers.append)) as session:
        first, error = read(1, newest_first)
        if error and newest_first and any(answer.status in MAY_MEAN_THE_ORDER for answer in answers[earlier:]):
            first, other_error = read(1, {})
            order, error = ("unknown", other_error) if other_error else ("refused", error)
        elif size := len(first.records):
            number = 2 if first.total is None else pages_of(first.total, size)
            last, error = read(number, newest_first) if number > 1 else (NO_PAGE, "")
            order = _order([*first.records, *last.records]) if newest_first else "unknown"
    return Sample(resource, once, session.requests, answers[earlier:], first, last, error, order)


def _order(records: list[Any]) -> Order:
    """Whether records are sorted: unknown without two different times of changes."""
    times = [at for at in updated_at(records) if at is not None]
    if len(set(times)) <= 1:
        return "unknown"
    return "yes" if times == sorted(times, reverse=True) else "no"


def _wait_after(answer: Answer) -> float:
    """Seconds that the API asks to wait before the next request."""
    return {OK: answer.until_reset, TOO_MANY_REQUESTS: answer.retry_after}.get(answer.status) or 0.0


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


LIMIT, REMAINING, PERIOD = (
    re.compile(rf"\b(?:{names})=\s*(\d{{1,15}})\b") for names in ("q|limit|total", "r|remaining", "w")
)
"""Numbers in rate-limit headers, old and new, each written as NAME=VALUE. Values may have names of their own."""


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


def allowance_of(headers: Mapping[str, str]) -> Allowance | None:
    """The API's rate limit from an answer's headers; None if they have none."""
    named = sorted((name.lower(), value) for name, value in headers.items() if "ratelimit" in name.lower())
    written = " ".join(f"{name}={value}" for name, value in named)  # new names come first, without X-
    found = [pattern.search(written) for pattern in (LIMIT, REMAINING, PERIOD)]
    limit, remaining, period = (int(match[1]) if match else None for match in found)
    if limit is None and remaining is None:
        return None
    reset = max(seconds_until(headers, f"{name}-Reset") or 0.0 for name in RATE_LIMITS)
    return Allowance(remaining, limit, period or (HOUR if reset <= HOUR else 24 * HOUR), period_is_known=bool(period))
