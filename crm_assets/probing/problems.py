"""The problems that a check reports, for one list or for all, each with the setting to change."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm_assets.api import INCLUDE, PAGE, UPDATED_AT
from crm_assets.probing.estimates import Allowance, Read, Schedules
from crm_assets.probing.lists import FieldFindings, Linked, Order, Sample, includes
from crm_assets.settings import CrmSettings, PersonalData, setting_name
from crm_assets.source.http.page import LARGEST_PAGE


@dataclass(frozen=True)
class Problem:
    """A problem that a check has found.

    Attributes:
        resource: The list; None if it concerns all of them.
        problem: What is wrong.
        advice: What to do, with the setting to change; empty if `problem` already says it.
        blocks: Whether it keeps the list from being read to its end.
    """

    resource: str | None
    problem: str
    advice: str = ""
    blocks: bool = False

    def __str__(self) -> str:
        """One line for logs."""
        return f"{self.resource or 'all lists'}: {self.problem}. {self.advice}"


def not_served(sample: Sample, settings: CrmSettings) -> Iterator[Problem]:
    """What keeps a list from being read to its end."""
    resource, first, last = sample.resource, sample.first, sample.last
    endpoints = setting_name("endpoints")
    exact = settings.total_is_exact(resource)
    inexact = f"If it always counts more than it lists, set {_in_endpoints(resource, {'total_is_exact': False})}"
    if sample.error:
        advice = ""
        if sample.order_refused:
            advice = f"Full reads work: turn off {resource}_schedule and rely on the nightly full read"
        yield Problem(resource, _without_list(sample.error, resource), advice, blocks=True)
    if first and first.total and not first.records and exact:
        yield Problem(resource, f"The API counts {first.total:,} records and lists none", inexact, blocks=True)
    if not first or not last:
        return
    if last.refusal:
        problem = f"The API does not serve the whole list: {_without_list(last.refusal, resource)}"
        advice = f"Ask for a shorter list with params in {endpoints}, or for larger pages with"
        yield Problem(resource, problem, f"{advice} {setting_name('per_page')}", blocks=True)
    elif last.records and last.ids == first.ids:
        problem = f"Page {last.number} holds the same records as page 1: the API seems to ignore the parameter `{PAGE}`"
        yield Problem(resource, problem, f"Check this resource's path and params in {endpoints}", blocks=True)
    elif not last.records and first.total is not None and exact:
        problem = f"The API counts {first.total:,} records, but page {last.number} is empty"
        if sample.page_size < sample.per_page:
            problem += f": either page 1 had only {sample.page_size}, or it lists fewer than it counts"
            yield Problem(resource, problem, "A full read will show which")
        else:
            advice = f"Ask for a shorter list with params in {endpoints}. {inexact}"
            yield Problem(resource, problem, advice, blocks=True)


def order_and_size(sample: Sample, order: Order) -> Iterator[Problem]:
    """What makes reads of a list take more requests than they could, or an unknown number."""
    resource, first, last = sample.resource, sample.first, sample.last
    if order is Order.ignored:
        problem = f"The API does not sort by {UPDATED_AT}: an incremental read takes as many requests as a full one"
        yield Problem(resource, problem, f"If these are too many, turn off {resource}_schedule")
    if first and first.records and first.total is None:
        problem = "The API does not count the records, so the number of requests of a full read is not known"
        yield Problem(resource, problem)
    if first and last and last.records and first.total is not None and sample.page_size < sample.per_page:
        problem = f"The API sends {sample.page_size} records per page, not {sample.per_page}"
        advice = f"No record is lost, but {setting_name('per_page')} cannot make its pages larger"
        yield Problem(resource, problem, advice)


def field_problems(resource: str, fields: FieldFindings, settings: CrmSettings) -> Iterator[Problem]:
    """Records and values that will be stored otherwise than declared, or not at all."""
    for reason, records in fields.rejected.items():
        advice = f"They will be in raw.rejected_records. Check this resource's path in {setting_name('endpoints')}"
        yield Problem(resource, f"{records} of the records seen cannot be loaded: {reason}", advice)
    if fields.other_types:
        problem = f"Values of another type than declared, in {', '.join(fields.other_types)}"
        schema = f"source/schemas/{resource}.yaml"
        yield Problem(resource, problem, f"They are kept as text in variant columns. Declare another type in {schema}")
    if fields.undeclared and settings.personal_data is not PersonalData.keep:
        policy = f"{setting_name('personal_data')} is {settings.personal_data.value}"
        advice = f"List those that hold no personal data in {setting_name('personal_data_allowed')}"
        yield Problem(resource, f"Undeclared fields are left out, since {policy}", advice)


def link_problems(
    resource: str, linked: Mapping[str, Linked], missing: Mapping[str, str], settings: CrmSettings
) -> Iterator[Problem]:
    """Missing links and names of one list. `missing`: side-loaded array -> the `include` that adds it."""
    unlinked = {to: found for to, found in linked.items() if found.records and not found.linked}
    problems = [f"no record is linked to {' and '.join(unlinked)}"] if unlinked else []
    problems += [f"answers have no {' and no '.join(missing)}, so their ids have no names"] if missing else []
    wanted = dict.fromkeys([*(found.include for found in unlinked.values() if found.include), *missing.values()])
    advice = f"The user that {setting_name('api_key')} belongs to may not see them"
    if wanted:
        include = ",".join([*includes(settings.params(resource)), *wanted])
        advice = f"Set {_in_endpoints(resource, {'params': {INCLUDE: include}})}"
    if problems:
        text = "; ".join(problems)
        yield Problem(resource, f"{text[:1].upper()}{text[1:]}", advice)


def rate_problems(
    full: Read, schedules: Schedules, allowance: Allowance | None, unsorted: Sequence[str], per_page: int
) -> Iterator[Problem]:
    """Whether the API allows as many requests as all lists need. `unsorted`: lists that the API does not sort."""
    needed, per_hour = full.requests.number, setting_name("requests_per_hour")
    if allowance and allowance.remaining is not None and allowance.remaining < needed:
        problem = f"A full read takes {needed:,} requests, but the API allows only {allowance.remaining:,} more for now"
        yield Problem(None, problem, f"Set {per_hour} to what your plan allows: reads then wait and are not refused")
    if schedules.fit is False:
        limit = setting_name(schedules.allowed_by) if schedules.allowed_by else "the API's rate limit"
        needed, allowed = schedules.busiest_hour, f"{schedules.allowed:,.0f}"
        advice = [f"Set {per_hour} to {allowed}: reads then wait"]
        if schedules.allowed_by:
            advice = [f"Raise {limit} if your plan allows it"]
        if per_page < LARGEST_PAGE:
            advice.append(f"raise {setting_name('per_page')} to {LARGEST_PAGE}")
        if unsorted:
            advice.append(f"turn off {', '.join(f'{each}_schedule' for each in unsorted)}, which read all pages")
        problem = f"The schedules take {needed:,} requests in their busiest hour, but {limit} allows {allowed}"
        yield Problem(None, problem, "; ".join(advice))


def _in_endpoints(resource: str, values: Mapping[str, Any]) -> str:
    """The setting for one list, as it can be pasted."""
    return f"in {setting_name('endpoints')}: {json.dumps({resource: values})}"


def _without_list(error: str, resource: str) -> str:
    """An error without the list's name, which is shown next to it."""
    return error.removeprefix(f"{resource}, ").removeprefix(f"{resource}: ")
