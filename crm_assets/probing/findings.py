"""The findings about one list, from a sample of it: names, types and counts, never values."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from crm_assets.api import ENDPOINTS, ID, INCLUDE, PAGE, UPDATED_AT
from crm_assets.errors import counted
from crm_assets.probing.sample import NO_PAGE, Order, Read, Sample, full_read, incremental_read
from crm_assets.settings import PersonalData, named_now, setting_name
from crm_assets.source.http.page import integer_at, json_type
from crm_assets.source.schemas import Column, resource_schema
from crm_assets.source.typing.batches import why_rejected
from crm_assets.source.typing.columns import column_names, snake_case, typed_column
from crm_assets.source.typing.redaction import A_NAME

NOT_SHOWN = "(not shown: may be data)"
"""Stands for keys that do not look like field names."""


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


@dataclass(frozen=True)
class ListFindings:
    """The findings about one list: names, types and counts, never values.

    Attributes:
        resource: The list.
        status: The status of the last answer; None without an answer.
        latency: Average seconds per answer; None without an answer.
        requests: Requests that the check sent.
        records: Records in the whole list by the API's count; None if it has none.
        order: How the API sorts.
        undeclared: Fields that no schema declares; each becomes a column.
        never_sent: Declared fields that no record has.
        other_types: Field -> values of another type than declared, as `2 x a string, not bigint`.
        linked: `accounts` or `owners` -> the share of records that are linked to them.
        full: A full read; None for a list that was not served.
        hourly: An incremental read an hour after another.
    """

    resource: str
    status: int | None
    latency: float | None
    requests: int
    records: int | None
    order: Order
    undeclared: Sequence[str]
    never_sent: Sequence[str]
    other_types: Mapping[str, str]
    linked: Mapping[str, float]
    full: Read | None
    hourly: Read | None


def list_findings(sample: Sample, since: datetime) -> ListFindings:
    """The findings about one list. `since`: the changes that an incremental read finds are those since this time."""
    schema, all_records = resource_schema(sample.resource), sample.records
    records = _as_stored([record for record in all_records if isinstance(record, dict)], schema.columns)
    sent = dict.fromkeys(name for record in records for name in record)
    unknown = [name for name in sent if name not in schema.columns and snake_case(name) not in schema.never_stored]
    misfits = {name: _misfits(column, [each.get(name) for each in records]) for name, column in schema.columns.items()}
    return ListFindings(
        sample.resource,
        status=sample.answers[-1].status if sample.answers else None,
        latency=sample.seconds if sample.answers else None,
        requests=sample.requests,
        records=sample.first.total,
        order=sample.order,
        undeclared=list(dict.fromkeys(name if A_NAME.fullmatch(name) else NOT_SHOWN for name in unknown)),
        never_sent=[name for name in schema.columns if records and name not in sent],
        other_types={name: kinds for name, kinds in misfits.items() if kinds and name != ID},  # such are rejected
        linked={
            link.to: sum(any(each.get(name) for name in link.fields) for each in records) / len(all_records)
            for link in ENDPOINTS[sample.resource].links
            if all_records
        },
        full=full_read(sample),
        hourly=incremental_read(sample, since),
    )


def _as_stored(records: list[dict[str, Any]], columns: Collection[str]) -> list[dict[str, Any]]:
    """The records, in which fields that a read takes for declared ones, as `fooBar` for `foo_bar`, have these names."""
    sent = dict.fromkeys(name for record in records for name in record)
    names = column_names([name for name in sent if name not in columns], [name for name in sent if name in columns])
    renamed = {name: column for name, column in names.items() if column in columns}
    return [{renamed.get(name, name): value for name, value in record.items()} for record in records]


def _misfits(column: Column, values: Sequence[Any]) -> str:
    """How many values of which types do not fit a column; empty if all fit."""
    _, misfits = typed_column(column.data_type, values)
    if misfits is None:
        return ""
    kinds = Counter(
        json_type(value) for value, text in zip(values, misfits.to_pylist(), strict=True) if text is not None
    )
    return f"{', '.join(f'{count} x {kind}' for kind, count in kinds.items())}, not {column.data_type}"


def list_problems(sample: Sample, found: ListFindings) -> Iterator[Problem]:
    """What keeps a list from being read to its end, makes reads long, or is stored otherwise than expected."""
    resource, settings, size = sample.resource, sample.settings, len(sample.first.records)
    yield from _unread(sample)
    if found.order == "no":
        problem = f"The API does not sort by {UPDATED_AT}: an incremental read takes as many requests as a full one"
        yield Problem(resource, problem, f"If these are too many, turn off {named_now(f'{resource}_schedule')}")
    if size and found.records is None:
        problem = "The API does not count the records, so the number of requests of a full read is not known"
        yield Problem(resource, problem)
    if sample.last.records and found.records is not None and size < settings.per_page:
        advice = f"No record is lost, but {setting_name('per_page')} cannot make its pages larger"
        yield Problem(resource, f"The API sends {size} records per page, not {settings.per_page}", advice)
    rejected = Counter(why_rejected(record) for record in sample.records if integer_at(record, ID) is None)
    for reason, records in rejected.items():
        advice = f"They will be in raw.rejected_records. Check this resource's path in {setting_name('endpoints')}"
        yield Problem(resource, f"{records} of the records seen cannot be loaded: {reason}", advice)
    if found.other_types:
        advice = f"They are kept as text in variant columns. Declare another type in source/schemas/{resource}.yaml"
        yield Problem(resource, f"Values of another type than declared, in {', '.join(found.other_types)}", advice)
    if found.undeclared and settings.personal_data is not PersonalData.keep:
        policy = f"{setting_name('personal_data')} is {settings.personal_data.value}"
        advice = f"List those that hold no personal data in {setting_name('personal_data_allowed')}"
        yield Problem(resource, f"Undeclared fields are left out, since {policy}", advice)
    yield from _not_included(sample, found.linked)


def _unread(sample: Sample) -> Iterator[Problem]:
    """What keeps a list from being read to its end."""
    first, last, endpoints = sample.first, sample.last, setting_name("endpoints")
    block = partial(Problem, sample.resource, blocks=True)
    if sample.error:
        full_only = (
            f"Full reads work: turn off {named_now(f'{sample.resource}_schedule')} and rely on the nightly full read"
        )
        yield block(sample.error, full_only if sample.order == "refused" else "")
    shorter = f"Ask for a shorter list with params in {endpoints}"
    if last.refusal:
        problem = f"The API does not serve the whole list: {str(last.refusal).removeprefix(f'{sample.resource}, ')}"
        yield block(problem, f"{shorter}, or for larger pages with {setting_name('per_page')}")
    elif last.records and last.ids == first.ids:
        problem = f"Page {last.number} holds the same records as page 1: the API seems to ignore the parameter `{PAGE}`"
        yield block(problem, f"Check this resource's path and params in {endpoints}")
    elif first.total and sample.settings.endpoint(sample.resource).total_is_exact:
        total = f"The API counts {counted(first.total, 'record')}"
        inexact = _in_endpoints(sample.resource, {"total_is_exact": False})
        inexact = f"If it always counts more than it lists, set {inexact}"
        if not first.records:
            yield block(f"{total} and lists none", inexact)
        elif last is NO_PAGE or last.records:
            return
        elif len(first.records) < sample.settings.per_page:
            short = f"either page 1 had only {len(first.records)}, or it lists fewer than it counts"
            problem = f"{total}, but page {last.number} is empty: {short}"
            yield Problem(sample.resource, problem, "A full read will show which")
        else:
            yield block(f"{total}, but page {last.number} is empty", f"{shorter}. {inexact}")


def _not_included(sample: Sample, linked: Mapping[str, float]) -> Iterator[Problem]:
    """Links and names that a list lacks, with the `include` that adds them."""
    endpoint, params = ENDPOINTS[sample.resource], sample.settings.endpoint(sample.resource).params
    included = [name.strip() for name in str(params.get(INCLUDE, "")).split(",") if name.strip()]
    unlinked = [link for link in endpoint.links if linked.get(link.to) == 0]
    sent = {*sample.first.side_loaded, *sample.last.side_loaded}
    unnamed = {name: array for name, array in endpoint.side_loads.items() if array not in sent and name not in included}
    problems = []
    if unlinked:
        problems.append(f"No record is linked to {' and '.join(link.to for link in unlinked)}")
    if unnamed and sample.records:
        problems.append(f"Answers have no {' and no '.join(unnamed.values())}, so their ids have no names")
    wanted = dict.fromkeys([*included, *(link.include for link in unlinked if link.include), *unnamed])
    advice = f"The user that {setting_name('api_key')} belongs to may not see them"
    if len(wanted) > len(included):
        advice = f"Set {_in_endpoints(sample.resource, {'params': {INCLUDE: ','.join(wanted)}})}"
    if problems:
        yield Problem(sample.resource, ". ".join(problems), advice)


def _in_endpoints(resource: str, values: Mapping[str, Any]) -> str:
    """The setting for one list, as it can be pasted."""
    return f"in {setting_name('endpoints')}: {json.dumps({resource: values})}"
