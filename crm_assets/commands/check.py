"""Check whether the CRM can be read, how many requests reads will take, and which settings to change.

Sends at most two requests per list and writes nothing. The exit code is 0 only if every list can be read.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from textwrap import fill

from dagster import build_init_resource_context

from crm_assets.commands.choosing import add_crm_option, chosen_crms
from crm_assets.connection import SANDBOX, CrmConnection
from crm_assets.errors import SettingsError
from crm_assets.probing.estimate import Bound, Read, Requests
from crm_assets.probing.findings import CrmFindings, ListFindings, Problem
from crm_assets.settings import setting_name

WIDTH = 100
"""Characters per line of the output."""

BOUNDS = {Bound.about: "", Bound.at_least: ">= ", Bound.at_most: "<= "}


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the CRM and the output format."""
    add_crm_option(parser)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(arguments: Namespace) -> int:
    """Checks the configured CRMs, or the sandbox, and prints the findings."""
    crms = chosen_crms(arguments)
    found: dict[str, CrmFindings] = {}
    with CrmConnection().yield_for_execution(build_init_resource_context()) as connection:
        for crm in crms:
            try:
                found[crm.name] = connection.check(_announce, crm)
            except SettingsError as error:
                _announce(str(error))
    if arguments.json:
        documents = {name: asdict(findings) for name, findings in found.items()}
        print(json.dumps(documents if crms[0].name else documents.get(""), indent=2))
    else:
        for name, findings in found.items():
            for line in (*([name, ""] if name else []), *report(findings), *([""] if name else [])):
                print("".join(character if character.isprintable() else "?" for character in line))
    return 0 if len(found) == len(crms) and all(findings.can_be_read for findings in found.values()) else 1


def report(findings: CrmFindings) -> Iterator[str]:
    """The findings as lines of text."""
    yield f"CRM: {findings.address}"
    if findings.address == SANDBOX:
        yield f"No CRM is configured: set {setting_name('base_url')} and {setting_name('api_key')} to check yours."
    yield f"{findings.per_page} records per page, up to {findings.max_in_flight} requests at a time"
    yield ""
    yield from _table(findings)
    yield ""
    if any(each.full for each in findings.lists):
        yield from _costs(findings)
        yield ""
    fields = [line for each in findings.lists for line in _fields(each)]
    if fields:
        yield from ("Fields of the records seen", *fields, "")
    if findings.problems:
        yield from ("Problems", *_problems(findings.problems), "")
    unreadable = [each.resource for each in findings.lists if not each.can_be_read]
    yield f"Cannot be read completely: {', '.join(unreadable)}" if unreadable else "Every list can be read."


def _announce(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _table(findings: CrmFindings) -> Iterator[str]:
    heads = ("list", "status", "latency", "records", "sorts", "accounts", "owners", "full read", "incremental")
    widths = (17, 6, 9, 11, 7, 8, 7, 10, 11)
    rows = [heads, *(_row(each) for each in findings.lists)]
    for row in rows:
        first, *others = zip(row, widths, strict=True)
        yield f"{first[0]:<{first[1]}}" + "".join(f" {cell:>{width}}" for cell, width in others)
    yield "accounts, owners: share of linked records. full read, incremental (an hour later): requests."


def _row(found: ListFindings) -> tuple[str, ...]:
    return (
        found.resource,
        str(found.status or "none"),
        f"{found.latency * 1000:,.0f} ms" if found.latency is not None else "-",
        f"{found.records:,}" if found.records is not None else "-",
        found.order.value if found.order.value != "unknown" else "-",
        *(_share(found, to) for to in ("accounts", "owners")),
        _requests(found.full),
        _requests(found.hourly),
    )


def _share(found: ListFindings, to: str) -> str:
    linked = found.linked.get(to)
    return f"{linked.linked / linked.records:.0%}" if linked and linked.records else "-"


def _requests(requests: Requests | None) -> str:
    return f"{BOUNDS[requests.bound]}{requests.number:,}" if requests else "-"


def _costs(findings: CrmFindings) -> Iterator[str]:
    full, hourly, schedules = findings.full, findings.hourly, findings.schedules
    yield f"A full read:          {_cost(full)}"
    yield f"An incremental read:  {_cost(hourly)}, if as many records change as in the last hour"
    allowance = findings.allowance
    told = "the API does not report it"
    if allowance:
        left, limit = ("?" if number is None else f"{number:,}" for number in (allowance.remaining, allowance.limit))
        assumed = "" if allowance.period_is_told else ", if that is the limit's period"
        told = f"{left} of {limit} requests left, for {_duration(allowance.period)}{assumed}"
    yield f"Allowance:            {told}"
    verdict = {True: "they fit", False: "they do not fit", None: "compare with your plan"}[schedules.fit]
    allowed = f" of {schedules.allowed:,.0f} allowed" if schedules.allowed is not None else ""
    yield (
        f"Schedules:            {schedules.every_hour:,} requests per hour, with the nightly full read "
        f"{schedules.busiest_hour:,}{allowed}: {verdict}"
    )


def _cost(read: Read) -> str:
    return f"{_requests(read.requests)} requests, at least {_duration(read.seconds)}"


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
            listed = ", ".join(names)
            yield from _wrapped(f"{found.resource}, {what} ({len(names)}): {listed}", "  ")


def _problems(problems: Sequence[Problem]) -> Iterator[str]:
    """Each problem once, with the lists that have it."""
    having: dict[tuple[str, str], list[str]] = {}
    for each in problems:
        having.setdefault((each.problem, each.advice), []).append(each.resource or "all lists")
    for (problem, advice), lists in having.items():
        yield from _wrapped(f"{', '.join(lists)}: {problem}", "  ")
        if advice:
            yield from _wrapped(f"-> {advice}", "     ")


def _wrapped(text: str, indent: str) -> list[str]:
    lines = fill(text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
    return lines.splitlines()
