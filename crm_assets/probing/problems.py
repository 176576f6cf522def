"""The problems that a check reports, for one list or for all, each with the setting to change."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crm_assets.api import INCLUDE, PAGE, UPDATED_AT
from crm_assets.probing.allowance import Allowance
from crm_assets.probing.estimate import Read
from crm_assets.probing.fields import FieldFindings
from crm_assets.probing.findings import ListFindings, Problem, Schedules
from crm_assets.probing.links import Linked, includes
from crm_assets.probing.order import Order
from crm_assets.probing.sample import Sample
from crm_assets.settings import CrmSettings, PersonalData, setting_name
from crm_assets.source.http.answers import TOO_MANY_REQUESTS

LARGEST_PAGE = 100
"""The most records per page that the API is known to send."""


def list_problems(sample: Sample, order: Order, fields: FieldFindings, settings: CrmSettings) -> list[Problem]:
    """The problems of one list, those that keep it from being read first."""
    return [
        *_not_served(sample),
        *_not_served_to_its_end(sample, settings),
        *_order(sample, order),
        *_counting(sample),
        *_fields(sample.resource, fields, settings.personal_data),
    ]


def link_problems(
    resource: str, linked: Mapping[str, Linked], missing: Mapping[str, str], settings: CrmSettings
) -> Iterator[Problem]:
    """Missing links and names of one list. `missing`: side-loaded array -> the `include` that adds it."""
    unlinked = {to: found for to, found in linked.items() if found.records and not found.linked}
    wanted = dict.fromkeys([*(found.include for found in unlinked.values() if found.include), *missing.values()])
    told = [
        f"no record is linked to {' and '.join(unlinked)}" if unlinked else "",
        f"answers have no {' and no '.join(missing)}, so their ids have no names" if missing else "",
    ]
    value = ",".join([*includes(settings.params(resource)), *wanted])
    if unlinked or missing:
        yield Problem(
            resource,
            _sentence("; ".join(filter(None, told))),
            f"Set {_in_endpoints(resource, {'params': {INCLUDE: value}})}"
            if wanted
            else f"The user that {setting_name('api_key')} belongs to may not see them",
        )


def common_problems(
    lists: Sequence[ListFindings], full: Read, schedules: Schedules, allowance: Allowance | None, per_page: int
) -> Iterator[Problem]:
    """The problems that concern all lists: whether the API allows as many requests as they need."""
    needed = full.requests.number
    if allowance and allowance.remaining is not None and allowance.remaining < needed:
        yield Problem(
            None,
            f"A full read takes {needed:,} requests, but the API allows only {allowance.remaining:,} more for now",
            f"Set {setting_name('requests_per_hour')} to what your plan allows: reads then wait and are not refused",
        )
    if schedules.fit is False:
        limit = setting_name(schedules.allowed_by) if schedules.allowed_by else "the API's rate limit"
        unsorted = [f"{each.resource}_schedule" for each in lists if each.order is Order.ignored]
        advice = [
            f"Raise {limit} if your plan allows it"
            if schedules.allowed_by
            else f"Set {setting_name('requests_per_hour')} to {schedules.allowed:,.0f}: reads then wait",
            f"raise {setting_name('per_page')} to {LARGEST_PAGE}" if per_page < LARGEST_PAGE else "",
            f"turn off {', '.join(unsorted)}, which read all pages" if unsorted else "",
        ]
        yield Problem(
            None,
            f"The schedules take {schedules.busiest_hour:,} requests in their busiest hour, but {limit} allows "
            f"{schedules.allowed:,.0f}",
            "; ".join(filter(None, advice)),
        )


def _in_endpoints(resource: str, values: Mapping[str, Any]) -> str:
    """The setting for one list, as it can be pasted."""
    return f"in {setting_name('endpoints')}: {json.dumps({resource: values})}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _not_served(sample: Sample) -> Iterator[Problem]:
    if not sample.error:
        return
    advice = ""
    if sample.order_refused:
        advice = f"Full reads work: turn off {sample.resource}_schedule and rely on the nightly full read"
    elif sample.answers and sample.answers[-1].status == TOO_MANY_REQUESTS:
        advice = f"Set {setting_name('requests_per_minute')} or {setting_name('requests_per_hour')} to what is allowed"
    yield Problem(sample.resource, _of_page(sample, sample.error), advice, blocks=True)


def _of_page(sample: Sample, error: str) -> str:
    """An error without the resource's name, which is shown next to it."""
    return error.removeprefix(f"{sample.resource}, ").removeprefix(f"{sample.resource}: ")


def _not_served_to_its_end(sample: Sample, settings: CrmSettings) -> Iterator[Problem]:
    first, last = sample.first, sample.last
    params = f"params in {setting_name('endpoints')}"
    exactness = _in_endpoints(sample.resource, {"total_is_exact": False})
    inexact = f"If it always counts more than it lists, set {exactness}"
    if first and first.total and not first.records and settings.total_is_exact(sample.resource):
        yield Problem(sample.resource, f"The API counts {first.total:,} records and lists none", inexact, blocks=True)
    if not first or not last:
        return
    if last.refusal:
        yield Problem(
            sample.resource,
            f"The API does not serve the whole list: {_of_page(sample, last.refusal)}",
            f"Ask for a shorter list with {params}, or for larger pages with {setting_name('per_page')}",
            blocks=True,
        )
    elif last.records and last.ids == first.ids:
        yield Problem(
            sample.resource,
            f"Page {last.number} holds the same records as page 1: the API seems to ignore the parameter `{PAGE}`",
            f"Check this resource's path and {params}",
            blocks=True,
        )
    elif not last.records and first.total is not None and settings.total_is_exact(sample.resource):
        short_page = sample.page_size < sample.per_page
        yield Problem(
            sample.resource,
            f"The API counts {first.total:,} records, but page {last.number} is empty"
            + (f": either page 1 had only {sample.page_size}, or it lists fewer than it counts" * short_page),
            "A full read will show which" if short_page else f"Ask for a shorter list with {params}. {inexact}",
            blocks=not short_page,
        )


def _order(sample: Sample, order: Order) -> Iterator[Problem]:
    if order is Order.ignored:
        yield Problem(
            sample.resource,
            f"The API does not sort by {UPDATED_AT}: an incremental read takes as many requests as a full one",
            f"If these are too many, turn off {sample.resource}_schedule",
        )


def _counting(sample: Sample) -> Iterator[Problem]:
    first, last = sample.first, sample.last
    if first and first.records and first.total is None:
        yield Problem(
            sample.resource,
            "The API does not count the records, so the number of requests of a full read is not known",
        )
    if first and last and last.records and first.total is not None and sample.page_size < sample.per_page:
        yield Problem(
            sample.resource,
            f"The API sends {sample.page_size} records per page, not {sample.per_page}",
            f"No record is lost, but {setting_name('per_page')} cannot make its pages larger",
        )


def _fields(resource: str, fields: FieldFindings, personal_data: PersonalData) -> Iterator[Problem]:
    for reason, records in fields.rejected.items():
        yield Problem(
            resource,
            f"{records} of the records seen cannot be loaded: {reason}",
            f"They will be in raw.rejected_records. Check this resource's path in {setting_name('endpoints')}",
        )
    if fields.other_types:
        yield Problem(
            resource,
            f"Values of another type than declared, in {', '.join(fields.other_types)}",
            f"They are kept as text in variant columns. Declare another type in source/schemas/{resource}.yaml",
        )
    if fields.undeclared and personal_data is not PersonalData.keep:
        yield Problem(
            resource,
            f"Undeclared fields are left out, since {setting_name('personal_data')} is {personal_data.value}",
            f"List those that hold no personal data in {setting_name('personal_data_allowed')}",
        )
