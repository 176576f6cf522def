"""Checks a CRM: at most two requests per list, and the findings from their answers. Writes nothing."""

from collections.abc import Callable, Sequence
from datetime import datetime

from crm_assets.api import ENDPOINTS
from crm_assets.probing.allowance import Allowance, allowance_of
from crm_assets.probing.estimate import Bound, Requests, full_read, hourly_read, read_of_all
from crm_assets.probing.fields import compare_fields
from crm_assets.probing.findings import CrmFindings, ListFindings, Problem, Schedules
from crm_assets.probing.links import count_links, missing_arrays
from crm_assets.probing.order import order_of
from crm_assets.probing.problems import common_problems, link_problems, list_problems
from crm_assets.probing.sample import LONGEST_WAIT, Sample, take_sample
from crm_assets.settings import CrmSettings
from crm_assets.settings.endpoints import HOUR_MINUTES
from crm_assets.source.http.limits import HOUR, MINUTE


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
            told = f"{resource}: not asked for, as the API asks to wait {wait:,.0f} s"
            samples.append(Sample(resource, settings.per_page, error=told))
            continue
        samples.append(take_sample(resource, settings, announce))
        wait = samples[-1].wait
    return _findings(samples, settings, address, now)


def _findings(samples: list[Sample], settings: CrmSettings, address: str, now: datetime) -> CrmFindings:
    allowances = [found for sample in samples for answer in sample.answers if (found := allowance_of(answer.headers))]
    allowance = allowances[-1] if allowances else None
    problems: list[Problem] = []
    lists: list[ListFindings] = []
    for sample in samples:
        of_list, its_problems = _list_findings(sample, settings, now)
        lists.append(of_list)
        problems += its_problems
    full = read_of_all([*zip(samples, (each.full for each in lists), strict=True)], settings, allowance)
    hourly = read_of_all([*zip(samples, (each.hourly for each in lists), strict=True)], settings, allowance)
    schedules = _schedules(full.requests, _every_hour(lists, hourly.requests.bound, settings), allowance, settings)
    problems += common_problems(lists, full, schedules, allowance, settings.per_page)
    return CrmFindings(
        address=address,
        can_be_read=all(each.can_be_read for each in lists),
        per_page=settings.per_page,
        max_in_flight=settings.max_in_flight,
        requests_per_minute=settings.requests_per_minute,
        requests_per_hour=settings.requests_per_hour,
        lists=lists,
        allowance=allowance,
        full=full,
        hourly=hourly,
        schedules=schedules,
        problems=sorted(problems, key=lambda each: not each.blocks),
    )


def _list_findings(sample: Sample, settings: CrmSettings, now: datetime) -> tuple[ListFindings, list[Problem]]:
    pages = [page for page in (sample.first, sample.last) if page]
    records = [record for page in pages for record in page.records]
    order, fields = order_of(sample), compare_fields(sample.resource, pages)
    params = settings.params(sample.resource)
    linked, unnamed = count_links(sample.resource, records, params), missing_arrays(sample.resource, pages, params)
    problems = [
        *list_problems(sample, order, fields, settings),
        *link_problems(sample.resource, linked, unnamed, settings),
    ]
    found = ListFindings(
        resource=sample.resource,
        can_be_read=not any(problem.blocks for problem in problems),
        status=sample.answers[-1].status if sample.answers else None,
        latency=sample.seconds if sample.answers else None,
        requests=sample.requests,
        records=sample.total,
        order=order,
        fields=fields,
        linked=linked,
        missing_arrays=unnamed,
        full=full_read(sample),
        hourly=hourly_read(sample, settings, now),
    )
    return found, problems


def _every_hour(lists: Sequence[ListFindings], bound: Bound, settings: CrmSettings) -> Requests:
    """What the schedules take in an hour in which each of them is due, as often as `cadence_minutes` says."""
    reads = {each.resource: max(1, HOUR_MINUTES // settings.cadence_minutes(each.resource)) for each in lists}
    return Requests(sum(each.hourly.number * reads[each.resource] for each in lists if each.hourly), bound)


def _schedules(full: Requests, hourly: Requests, allowance: Allowance | None, settings: CrmSettings) -> Schedules:
    """The schedules read each list incrementally, `hourly` in all, and once a day all of them in full."""
    limits = {
        "": (allowance.limit, allowance.period) if allowance else (None, HOUR),
        "requests_per_minute": (settings.requests_per_minute, MINUTE),
        "requests_per_hour": (settings.requests_per_hour, HOUR),
    }
    an_hour = {name: limit * HOUR / period for name, (limit, period) in limits.items() if limit}
    allowed_by = min(an_hour, key=an_hour.__getitem__, default="")
    allowed = an_hour.get(allowed_by)
    busiest = hourly.number + full.number
    fit = None if allowed is None else busiest <= allowed
    if fit and Bound.at_least in {full.bound, hourly.bound}:
        fit = None  # more may be needed
    return Schedules(hourly.number, busiest, allowed, allowed_by, fit)
