"""Checks a CRM: at most two requests per list, and the findings from their answers. Writes nothing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crm_assets.api import ENDPOINTS
from crm_assets.probing import estimates
from crm_assets.probing.estimates import Allowance, Read, Schedules
from crm_assets.probing.findings import ListFindings, Problem, list_findings, list_problems
from crm_assets.probing.sample import take_sample
from crm_assets.settings import CrmSettings, setting_name
from crm_assets.source.http.answers import Answer
from crm_assets.source.http.limits import HOUR
from crm_assets.source.http.page import LARGEST_PAGE


@dataclass(frozen=True)
class CrmFindings:
    """The findings about the CRM at an address.

    Attributes:
        unreadable: Lists that cannot be read to their end.
        problems: Those of unreadable lists come first.
    """

    address: str
    unreadable: Sequence[str]
    per_page: int
    max_in_flight: int
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
    since = now - timedelta(seconds=HOUR + settings.incremental_lag)
    answers: list[Answer] = []
    lists: list[ListFindings] = []
    problems: list[Problem] = []
    for resource in ENDPOINTS:
        sample = take_sample(resource, settings, answers, announce)
        lists.append(list_findings(sample, since))
        problems += list_problems(sample, lists[-1])
    allowance = next(filter(None, (estimates.allowance_of(answer.headers) for answer in reversed(answers))), None)
    limits = estimates.rates(settings, allowance)
    full = estimates.total([each.full for each in lists], limits)
    hourly = estimates.total([each.hourly for each in lists], limits)
    schedules = estimates.schedules({each.resource: each.hourly for each in lists}, full, settings, limits)
    unsorted = [each.resource for each in lists if each.order == "no"]
    problems += _rate_problems(full, schedules, allowance, unsorted, settings.per_page)
    problems.sort(key=lambda problem: not problem.blocks)
    unreadable = [each for each in ENDPOINTS if each in {problem.resource for problem in problems if problem.blocks}]
    used = settings.per_page, settings.max_in_flight
    return CrmFindings(address, unreadable, *used, lists, allowance, full, hourly, schedules, problems)


def _rate_problems(
    full: Read, schedules: Schedules, allowance: Allowance | None, unsorted: Sequence[str], per_page: int
) -> Iterator[Problem]:
    """Whether the API allows as many requests as all lists need. `unsorted`: lists that the API does not sort."""
    per_hour = setting_name("requests_per_hour")
    if allowance and allowance.remaining is not None and allowance.remaining < full.requests:
        problem = f"A full read takes {full.requests:,} requests, but the API allows only {allowance.remaining:,} more"
        advice = f"Set {per_hour} to what your plan allows: reads then wait and are not refused"
        yield Problem(None, f"{problem} for now", advice)
    if schedules.fit is False:
        needed, allowed = f"{schedules.busiest_hour:,} requests in their busiest hour", f"{schedules.allowed:,.0f}"
        limit, to_do = "the API's rate limit", [f"Set {per_hour} to {allowed}: reads then wait"]
        if schedules.allowed_by:
            limit = setting_name(schedules.allowed_by)
            to_do = [f"Raise {limit} if your plan allows it"]
        if per_page < LARGEST_PAGE:
            to_do.append(f"raise {setting_name('per_page')} to {LARGEST_PAGE}")
        if unsorted:
            to_do.append(f"turn off {', '.join(f'{each}_schedule' for each in unsorted)}, which read all pages")
        yield Problem(None, f"The schedules take {needed}, but {limit} allows {allowed}", "; ".join(to_do))
