"""Checks a CRM: at most two requests per list, and the findings from their answers. Writes nothing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
        problems: Those of unreadable lists come first.
        unreadable: Lists that cannot be read to their end.
    """

    address: str
    per_page: int
    max_in_flight: int
    lists: Sequence[ListFindings]
    allowance: Allowance | None
    full: Read
    hourly: Read
    schedules: Schedules
    problems: Sequence[Problem] = ()
    unreadable: Sequence[str] = ()


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
    samples = [take_sample(resource, settings, answers, announce) for resource in ENDPOINTS]
    lists = [list_findings(sample, since) for sample in samples]
    allowance = next(filter(None, (estimates.allowance_of(answer.headers) for answer in reversed(answers))), None)
    limits = estimates.rates(settings, allowance)
    full = estimates.total([each.full for each in lists], limits)
    hourly = estimates.total([each.hourly for each in lists], limits)
    schedules = estimates.schedules({each.resource: each.hourly for each in lists}, full, settings, limits)
    found = CrmFindings(address, settings.per_page, settings.max_in_flight, lists, allowance, full, hourly, schedules)
    problems = [problem for pair in zip(samples, lists, strict=True) for problem in list_problems(*pair)]
    problems = sorted([*problems, *_rate_problems(found)], key=lambda problem: not problem.blocks)
    blocked = {problem.resource for problem in problems if problem.blocks}
    return replace(found, problems=problems, unreadable=[each for each in ENDPOINTS if each in blocked])


def _rate_problems(found: CrmFindings) -> Iterator[Problem]:
    """Whether the API allows as many requests as all lists need."""
    full, schedules, per_hour = found.full, found.schedules, setting_name("requests_per_hour")
    left = found.allowance.remaining if found.allowance else None
    if left is not None and left < full.requests:
        problem = f"A full read takes {full.requests:,} requests, but the API allows only {left:,} more for now"
        yield Problem(None, problem, f"Set {per_hour} to what your plan allows: reads then wait and are not refused")
    if schedules.fit is False:
        needed, allowed = f"{schedules.busiest_hour:,} requests in their busiest hour", f"{schedules.allowed:,.0f}"
        limit, to_do = "the API's rate limit", [f"Set {per_hour} to {allowed}: reads then wait"]
        if schedules.allowed_by:
            limit = setting_name(schedules.allowed_by)
            to_do = [f"Raise {limit} if your plan allows it"]
        if found.per_page < LARGEST_PAGE:
            to_do.append(f"raise {setting_name('per_page')} to {LARGEST_PAGE}")
        if unsorted := [f"{each.resource}_schedule" for each in found.lists if each.order == "no"]:
            to_do.append(f"turn off {', '.join(unsorted)}, which read all pages")
        yield Problem(None, f"The schedules take {needed}, but {limit} allows {allowed}", "; ".join(to_do))
