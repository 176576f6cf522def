"""Checks a CRM with at most two requests per list, and shows the findings, in a terminal and in Dagster.

They include what reads and schedules take of the rate limits. Writes nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from textwrap import wrap

from crm_assets.api import ENDPOINTS
from crm_assets.probing.findings import ListFindings, Problem, list_findings, list_problems
from crm_assets.probing.sample import Allowance, Read, allowance_of, pages_of, take_sample
from crm_assets.settings import CrmSettings, named_now, setting_name
from crm_assets.settings.crm import HOUR_MINUTES
from crm_assets.source.http.answers import Answer
from crm_assets.source.http.limits import HOUR, Rate, limits_of
from crm_assets.source.http.page import LARGEST_PAGE


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
    allowance = next(filter(None, (allowance_of(answer.headers) for answer in reversed(answers))), None)
    limits = _rates(settings, allowance)
    full = _total([each.full for each in lists], limits)
    hourly = _total([each.hourly for each in lists], limits)
    schedules = _schedules({each.resource: each.hourly for each in lists}, full, settings, limits)
    found = CrmFindings(address, settings.per_page, settings.max_in_flight, lists, allowance, full, hourly, schedules)
    problems = [problem for pair in zip(samples, lists, strict=True) for problem in list_problems(*pair)]
    problems = sorted([*problems, *_rate_problems(found)], key=lambda problem: not problem.blocks)
    blocked = {problem.resource for problem in problems if problem.blocks}
    return replace(found, problems=problems, unreadable=[each for each in ENDPOINTS if each in blocked])


def _rates(settings: CrmSettings, allowance: Allowance | None) -> list[Rate]:
    """All rates that limit a read. The API's own has no setting."""
    own = [Rate("", allowance.limit, allowance.period)] if allowance and allowance.limit else []
    return [*own, *limits_of(settings).rates]


def _total(reads: Sequence[Read | None], limits: Sequence[Rate]) -> Read:
    """Reads of several lists, one after the other. None stands for one that cannot be read."""
    requests = sum(read.requests for read in reads if read)
    bounds = {read.bound if read else "at least" for read in reads} - {"about"}
    waits = [(pages_of(requests, rate.requests) - 1) * rate.period for rate in limits]
    seconds = max(sum(read.seconds for read in reads if read), *waits, 0.0)
    return Read(requests, bounds.pop() if len(bounds) == 1 else "about", seconds)


def _schedules(
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
        if unsorted := [named_now(f"{each.resource}_schedule") for each in found.lists if each.order == "no"]:
            to_do.append(f"turn off {', '.join(unsorted)}, which read all pages")
        yield Problem(None, f"The schedules take {needed}, but {limit} allows {allowed}", "; ".join(to_do))


WIDTH = 80
"""Characters per line of text."""

BOUNDS = {"about": "", "at least": ">= ", "at most": "<= "}
VERDICTS = {True: "they fit", False: "they do not fit", None: "compare with your plan"}


def table(lists: Sequence[ListFindings]) -> list[dict[str, str]]:
    """One row per list; a dash stands for what is not known."""
    return [
        {
            "list": found.resource,
            "status": str(found.status or "none"),
            "latency": f"{found.latency * 1000:,.0f} ms" if found.latency is not None else "-",
            "records": f"{found.records:,}" if found.records is not None else "-",
            "sorts": found.order,
            **{to: f"{found.linked[to]:.0%}" if to in found.linked else "-" for to in ("accounts", "owners")},
            "full": _requests(found.full),
            "hourly": _requests(found.hourly),
        }
        for found in lists
    ]


def text(findings: CrmFindings) -> Iterator[str]:
    """The findings as lines."""
    yield f"{findings.per_page} records per page, up to {findings.max_in_flight} requests at a time"
    yield ""
    rows = table(findings.lists)
    columns = [[name, *(row[name] for row in rows)] for name in rows[0]]
    aligned = [[cell.rjust(max(map(len, column))) for cell in column] for column in columns[1:]]
    names = [name.ljust(max(map(len, columns[0]))) for name in columns[0]]
    yield from map(" ".join, zip(names, *aligned, strict=True))
    yield "accounts, owners: share of linked records. full, hourly: requests of reads."
    yield ""
    if any(each.full for each in findings.lists):
        yield from (*_costs(findings), "")
    if fields := [line for each in findings.lists for line in _fields(each)]:
        yield from ("Fields of the records seen", *fields, "")
    if findings.problems:
        yield from ("Problems", *_problems(findings), "")
    unreadable = "all" if len(findings.unreadable) == len(findings.lists) else ", ".join(findings.unreadable)
    yield f"Cannot be read completely: {unreadable}" if unreadable else "Every list can be read."


def _costs(findings: CrmFindings) -> Iterator[str]:
    schedules, allowance = findings.schedules, findings.allowance
    yield f"A full read:          {cost(findings.full)}"
    yield f"An incremental read:  {cost(findings.hourly)}, an hour after another"
    reported = "the API does not report it"
    if allowance:
        left, limit = ("?" if number is None else f"{number:,}" for number in (allowance.remaining, allowance.limit))
        period = f"{_duration(allowance.period)}{'' if allowance.period_is_known else ' (assumed)'}"
        reported = f"{left} of {limit} requests left, for {period}"
    yield f"Allowance:            {reported}"
    allowed = f" of {schedules.allowed:,.0f} allowed" if schedules.allowed is not None else ""
    yield f"Schedules:            {schedules.every_hour:,} requests per hour, with the nightly full read"
    yield f"                      {schedules.busiest_hour:,}{allowed}: {VERDICTS[schedules.fit]}"


def cost(read: Read) -> str:
    """The requests and the time of a read."""
    return f"{_requests(read)} requests, at least {_duration(read.seconds)}"


def _requests(read: Read | None) -> str:
    return f"{BOUNDS[read.bound]}{read.requests:,}" if read else "-"


def _duration(seconds: float) -> str:
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:,.1f} {name}".replace(".0 ", " ")
    return f"{max(1, round(seconds))} s"


def _fields(found: ListFindings) -> Iterator[str]:
    other_types = [f"{name} ({kinds})" for name, kinds in found.other_types.items()]
    named = {"not declared": found.undeclared, "never sent": found.never_sent, "of another type": other_types}
    for what, names in named.items():
        if names:
            yield from _wrapped(f"{found.resource}, {what} ({len(names)}): {', '.join(names)}", "  ")


def _problems(findings: CrmFindings) -> Iterator[str]:
    """Each problem once, with the lists that have it."""
    lists: dict[tuple[str, str], list[str]] = {}
    for each in findings.problems:
        lists.setdefault((each.problem, each.advice), []).append(each.resource or "all lists")
    for (problem, advice), names in lists.items():
        yield from _wrapped(f"{', '.join(names)}: {problem}", "  ")
        yield from _wrapped(f"-> {advice}", "     ") if advice else ()


def _wrapped(line: str, indent: str) -> list[str]:
    return wrap(line, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
