"""Checks a CRM: at most two requests per list, and the findings from their answers. Writes nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_assets.api import ENDPOINTS
from crm_assets.probing import estimates, lists, problems
from crm_assets.probing.estimates import Allowance, Read, Requests, Schedules
from crm_assets.probing.lists import LONGEST_WAIT, FieldFindings, Linked, Order, Sample, not_requested, take_sample
from crm_assets.probing.problems import Problem
from crm_assets.settings import CrmSettings


@dataclass(frozen=True)
class ListFindings:
    """The findings about one list.

    Attributes:
        resource: The list.
        can_be_read: Whether the API served all requested pages.
        status: The status of the last answer; None without an answer.
        latency: Average seconds per answer; None without an answer.
        requests: Requests that the check sent.
        records: Records in the whole list by the API's count; None if it has none.
        order: Whether the API sorts newest first when asked to.
        fields: How fields differ from the declared ones.
        linked: `accounts` or `owners` -> how many records are linked to them.
        missing_arrays: Side-loaded array that the answers lack -> the `include` that adds it.
        full: Requests of a full read; None for a list that was not served.
        hourly: Requests of an incremental read an hour after the previous one.
    """

    resource: str
    can_be_read: bool
    status: int | None
    latency: float | None
    requests: int
    records: int | None
    order: Order
    fields: FieldFindings
    linked: Mapping[str, Linked]
    missing_arrays: Mapping[str, str]
    full: Requests | None
    hourly: Requests | None


@dataclass(frozen=True)
class CrmFindings:
    """The findings about the CRM at an address, and the settings used for the estimates."""

    address: str
    can_be_read: bool
    per_page: int
    max_in_flight: int
    requests_per_minute: int | None
    requests_per_hour: int | None
    lists: Sequence[ListFindings]
    allowance: Allowance | None
    full: Read
    hourly: Read
    schedules: Schedules
    problems: Sequence[Problem]


def check_crm(settings: CrmSettings, address: str, now: datetime, announce: Callable[[str], object]) -> CrmFindings:
    """Checks all lists, one after the other.

    Args:
        settings: Must have a base URL and a key.
        address: The CRM's name in the findings.
        now: The current time, with a time zone: the changes of the hour before it are counted.
        announce: Called with a message about each long wait.
    """
    samples: list[Sample] = []
    wait = 0.0
    for resource in ENDPOINTS:
        if wait > LONGEST_WAIT:
            samples.append(Sample(resource, settings.per_page, error=f"{resource}: {not_requested(wait)}"))
        else:
            samples.append(take_sample(resource, settings, announce))
            wait = samples[-1].wait
    return _findings(samples, settings, address, now)


def _findings(samples: Sequence[Sample], settings: CrmSettings, address: str, now: datetime) -> CrmFindings:
    headers = [answer.headers for sample in samples for answer in sample.answers]
    allowance = next(filter(None, map(estimates.allowance_of, reversed(headers))), None)
    seen: list[Problem] = []
    found = [_list_findings(sample, settings, now, seen) for sample in samples]
    full = estimates.read_of_all([*zip(samples, (each.full for each in found), strict=True)], settings, allowance)
    hourly = estimates.read_of_all([*zip(samples, (each.hourly for each in found), strict=True)], settings, allowance)
    schedules = estimates.schedules({each.resource: each.hourly for each in found}, full, settings, allowance)
    unsorted = [each.resource for each in found if each.order is Order.ignored]
    seen += problems.rate_problems(full, schedules, allowance, unsorted, settings.per_page)
    return CrmFindings(
        address,
        all(each.can_be_read for each in found),
        settings.per_page,
        settings.max_in_flight,
        settings.requests_per_minute,
        settings.requests_per_hour,
        found,
        allowance,
        full,
        hourly,
        schedules,
        problems=sorted(seen, key=lambda each: not each.blocks),
    )


def _list_findings(sample: Sample, settings: CrmSettings, now: datetime, seen: list[Problem]) -> ListFindings:
    """The findings about one list. Its problems are added to `seen`."""
    resource, params, pages = sample.resource, settings.params(sample.resource), sample.pages
    order, fields = lists.order_of(sample), lists.compare_fields(resource, pages)
    linked, missing = lists.count_links(resource, pages, params), lists.missing_arrays(resource, pages, params)
    own = [
        *problems.not_served(sample, settings),
        *problems.order_and_size(sample, order),
        *problems.field_problems(resource, fields, settings),
        *problems.link_problems(resource, linked, missing, settings),
    ]
    seen += own
    return ListFindings(
        resource,
        can_be_read=not any(problem.blocks for problem in own),
        status=sample.answers[-1].status if sample.answers else None,
        latency=sample.seconds if sample.answers else None,
        requests=sample.requests,
        records=sample.total,
        order=order,
        fields=fields,
        linked=linked,
        missing_arrays=missing,
        full=estimates.full_read(sample),
        hourly=estimates.hourly_read(sample, settings, now),
    )
