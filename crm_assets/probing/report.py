"""The findings of a check as tables and text, for a terminal and for Dagster."""

from collections.abc import Iterator, Sequence
from textwrap import fill

from crm_assets.probing.check import CrmFindings, ListFindings
from crm_assets.probing.estimates import Bound, Read, Requests
from crm_assets.probing.problems import Problem

WIDTH = 80
"""Characters per line of text."""

BOUNDS = {Bound.about: "", Bound.at_least: ">= ", Bound.at_most: "<= "}


def table(lists: Sequence[ListFindings]) -> list[dict[str, str]]:
    """One row per list; a dash stands for what is not known."""
    return [_row(found) for found in lists]


def _row(found: ListFindings) -> dict[str, str]:
    shares = {to: f"{link.linked / link.records:.0%}" for to, link in found.linked.items() if link.records}
    return {
        "list": found.resource,
        "status": str(found.status or "none"),
        "latency": f"{found.latency * 1000:,.0f} ms" if found.latency is not None else "-",
        "records": f"{found.records:,}" if found.records is not None else "-",
        "sorts": found.order.value,
        "accounts": shares.get("accounts", "-"),
        "owners": shares.get("owners", "-"),
        "full": _requests(found.full),
        "hourly": _requests(found.hourly),
    }


def text(findings: CrmFindings) -> Iterator[str]:
    """The findings as lines."""
    yield f"{findings.per_page} records per page, up to {findings.max_in_flight} requests at a time"
    yield ""
    rows = table(findings.lists)
    first, *others = ([name, *(row[name] for row in rows)] for name in rows[0])
    columns = [[cell.ljust(max(map(len, first))) for cell in first]]
    columns += [[cell.rjust(max(map(len, column))) for cell in column] for column in others]
    yield from map(" ".join, zip(*columns, strict=True))
    yield "accounts, owners: share of linked records. full, hourly: requests of reads."
    yield ""
    if any(each.full for each in findings.lists):
        yield from (*_costs(findings), "")
    if fields := [line for each in findings.lists for line in _fields(each)]:
        yield from ("Fields of the records seen", *fields, "")
    if findings.problems:
        yield from ("Problems", *_problems(findings.problems), "")
    unreadable = [each.resource for each in findings.lists if not each.can_be_read]
    yield f"Cannot be read completely: {', '.join(unreadable)}" if unreadable else "Every list can be read."


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
    verdict = {True: "they fit", False: "they do not fit", None: "compare with your plan"}[schedules.fit]
    allowed = f" of {schedules.allowed:,.0f} allowed" if schedules.allowed is not None else ""
    yield f"Schedules:            {schedules.every_hour:,} requests per hour, with the nightly full read"
    yield f"                      {schedules.busiest_hour:,}{allowed}: {verdict}"


def cost(read: Read) -> str:
    """The requests and the time of a read."""
    return f"{_requests(read.requests)} requests, at least {_duration(read.seconds)}"


def _requests(requests: Requests | None) -> str:
    return f"{BOUNDS[requests.bound]}{requests.number:,}" if requests else "-"


def _duration(seconds: float) -> str:
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:,.1f} {name}".replace(".0 ", " ")
    return f"{max(1, round(seconds))} s"


def _fields(found: ListFindings) -> Iterator[str]:
    other_types = [
        f"{name} ({', '.join(f'{count} x {kind}' for kind, count in other.sent.items())}, not {other.declared})"
        for name, other in found.fields.other_types.items()
    ]
    for what, names in (
        ("not declared", found.fields.undeclared),
        ("never sent", found.fields.never_sent),
        ("of another type", other_types),
    ):
        if names:
            yield from _wrapped(f"{found.resource}, {what} ({len(names)}): {', '.join(names)}", "  ")


def _problems(problems: Sequence[Problem]) -> Iterator[str]:
    """Each problem once, with the lists that have it."""
    lists: dict[tuple[str, str], list[str]] = {}
    for each in problems:
        lists.setdefault((each.problem, each.advice), []).append(each.resource or "all lists")
    for (problem, advice), names in lists.items():
        yield from _wrapped(f"{', '.join(names)}: {problem}", "  ")
        if advice:
            yield from _wrapped(f"-> {advice}", "     ")


def _wrapped(line: str, indent: str) -> list[str]:
    lines = fill(line, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
    return lines.splitlines()
