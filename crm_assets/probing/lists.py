"""A sample of one list, and what it shows about the list.

At most two pages are read, through the real source. Findings hold names, types and counts, never values.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain
from typing import Any

from dlt.extract.exceptions import ResourceExtractionError
from dlt.sources.helpers.rest_client.paginators import BasePaginator
from requests import Request, Response

from crm_assets.api import ENDPOINTS, INCLUDE, NEWEST_FIRST, PAGE
from crm_assets.errors import ApiError
from crm_assets.settings import CrmSettings
from crm_assets.source.crm_source import list_source
from crm_assets.source.dlt_context import ProjectContext, dlt_context
from crm_assets.source.http.answers import OK, TOO_MANY_REQUESTS, Answer
from crm_assets.source.http.page import Page
from crm_assets.source.http.session import PageSession
from crm_assets.source.reading.incremental import updated_at
from crm_assets.source.schemas import Column, resource_schema
from crm_assets.source.typing.batches import json_type, why_rejected
from crm_assets.source.typing.columns import typed_column
from crm_assets.source.typing.field_names import snake_case
from crm_assets.source.typing.redaction import A_NAME

LONGEST_WAIT = 10.0
"""If the API asks to wait for more seconds, the next request is left out: a user is waiting for the result."""

MAY_MEAN_THE_ORDER = frozenset({400, 422})
"""Statuses with which an API may refuse an unknown sort order."""


class Sample(BasePaginator):
    """The first page of a list and its last one, which this paginator asks for.

    Attributes:
        resource: The list.
        per_page: Requested records per page.
        answers: The answers received.
        requests: Requests sent.
        pages: Page 1, newest first if the API sorts; then the last page by the API's count, or page 2 without a count.
        order_refused: Whether the API serves page 1 only without a sort order. Then no other page is requested.
        error: Why a page is missing; empty if none is.
    """

    def __init__(self, resource: str, per_page: int, error: str = "") -> None:
        """Has asked for nothing yet."""
        super().__init__()
        self.resource, self.per_page = resource, per_page
        self.answers: list[Answer] = []
        self.pages: list[Page] = []
        self.requests = 0
        self.order_refused = False
        self.error = error

    @property
    def first(self) -> Page | None:
        """Page 1; None if it was not served."""
        return self.pages[0] if self.pages else None

    @property
    def last(self) -> Page | None:
        """The last page; None if it is page 1, or was not requested or not served."""
        return self.pages[1] if len(self.pages) > 1 else None

    @property
    def page_size(self) -> int:
        """Records on page 1."""
        return len(self.pages[0].records) if self.pages else 0

    @property
    def total(self) -> int | None:
        """Records in the list by the API's count; None if it has none."""
        return self.pages[0].total if self.pages else None

    @property
    def seconds(self) -> float:
        """Average seconds per answer."""
        return sum(answer.seconds for answer in self.answers) / max(1, len(self.answers))

    @property
    def wait(self) -> float:
        """Seconds that the API asks to wait before the next request."""
        if not self.answers:
            return 0.0
        answer = self.answers[-1]
        asked = {OK: answer.until_reset, TOO_MANY_REQUESTS: answer.retry_after}
        return asked.get(answer.status) or 0.0

    def init_request(self, request: Request) -> None:
        """Asks for page 1."""
        request.params[PAGE] = 1

    def update_state(self, response: Response, data: list[Page] | None = None) -> None:
        """Receives a page as the only item of `data`."""
        self.pages += data or []
        self._has_next_page = self.last is None and not self.order_refused and self._last_number > 1
        if self._has_next_page and self.wait > LONGEST_WAIT:
            self._has_next_page = False
            self.error = f"{self.resource}, page {self._last_number}: {not_requested(self.wait)}"

    def update_request(self, request: Request) -> None:
        """Asks for the last page."""
        request.params[PAGE] = self._last_number

    @property
    def _last_number(self) -> int:
        if not self.page_size:
            return 1
        return 2 if self.total is None else pages_of(self.total, self.page_size)


def pages_of(records: int, page_size: int) -> int:
    """How many pages the records fill."""
    return -(-records // page_size)  # integers only: an API may claim any total


def not_requested(wait: float) -> str:
    """Why a request was left out."""
    return f"not requested, since the API asks to wait {wait:,.0f} s"


def take_sample(resource: str, settings: CrmSettings, announce: Callable[[str], object]) -> Sample:
    """Requests the first page as an incremental read does, if there can be one, and then the last one.

    The first answer shows fields, number of records and order; the second one whether the API serves the whole list.
    If the API refuses the order, the second request is for the first page of a full read. Nothing is retried, so that
    transient errors show. Records are not redacted: they are only compared with the schema.

    Args:
        resource: The list.
        settings: Must have a base URL and a key.
        announce: Called with a message about each long wait.
    """
    once = settings.model_copy(update={"request_max_attempts": 1})
    order = NEWEST_FIRST if resource_schema(resource).has_updated_at else {}
    sample = Sample(resource, settings.per_page)
    with closing(PageSession(once, resource, lambda _: None, announce, sample.answers.append)) as session:
        sample.error = _read(sample, once, session, order) or sample.error
        if order and not sample.pages and sample.answers and sample.answers[-1].status in MAY_MEAN_THE_ORDER:
            sample.order_refused = True
            if error := _read(sample, once, session, {}):
                sample.order_refused, sample.error = False, error
        sample.requests = session.requests
    return sample


def _read(sample: Sample, settings: CrmSettings, session: PageSession, order: Mapping[str, str]) -> str:
    """Reads the pages of a sample. Returns why one was not served; empty if all were."""
    try:
        with dlt_context(ProjectContext()):
            list(list_source(sample.resource, settings, session, sample, order))
    except ResourceExtractionError as error:
        if isinstance(error.__cause__, ApiError):
            return str(error.__cause__)
        raise
    return ""


NOT_SHOWN = "(not shown: may be data)"
"""Stands for keys that do not look like field names."""


class Order(str, Enum):
    """What the API does with a request to sort newest first."""

    honoured = "yes"
    ignored = "no"
    refused = "refused"
    unknown = "unknown"


@dataclass(frozen=True)
class OtherType:
    """Values of a declared field that do not fit its type: dlt's data type, and JSON type -> number of values."""

    declared: str
    sent: Mapping[str, int]


@dataclass(frozen=True)
class FieldFindings:
    """What differs from the declared fields.

    Attributes:
        undeclared: Fields that no schema declares; each becomes a column.
        never_sent: Declared fields that no record has.
        other_types: Field -> values of another type than declared.
        rejected: Reason -> number of records that cannot be loaded.
    """

    undeclared: Sequence[str] = ()
    never_sent: Sequence[str] = ()
    other_types: Mapping[str, OtherType] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Linked:
    """How many of the records are linked, and the `include` that would link them: None if unknown or already set."""

    records: int
    linked: int
    include: str | None


def order_of(sample: Sample) -> Order:
    """The order of a sample: unknown without `updated_at` in the schema, or two different times in it."""
    if sample.order_refused:
        return Order.refused
    times = [at for page in sample.pages for at in updated_at(page.records) if at is not None]
    if not resource_schema(sample.resource).has_updated_at or len(set(times)) <= 1:
        return Order.unknown
    return Order.honoured if times == sorted(times, reverse=True) else Order.ignored


def compare_fields(resource: str, pages: Sequence[Page]) -> FieldFindings:
    """Compares the records of some pages with a resource's schema. Without records there are no findings."""
    records = [record for page in pages for record in page.records if isinstance(record, dict)]
    without_id = [record for page in pages for record, id_ in zip(page.records, page.ids, strict=True) if id_ is None]
    rejected = dict(Counter(map(why_rejected, without_id)))
    if not records:
        return FieldFindings(rejected=rejected)
    schema = resource_schema(resource)
    sent = dict.fromkeys(chain.from_iterable(records))
    undeclared = [name for name in sent if name not in schema.columns and snake_case(name) not in schema.never_stored]
    other_types = {
        name: OtherType(column.data_type, kinds)
        for name, column in schema.columns.items()
        if (kinds := _misfits(column, [record.get(name) for record in records]))
    }
    return FieldFindings(
        undeclared=[*dict.fromkeys(name if A_NAME.fullmatch(name) else NOT_SHOWN for name in undeclared)],
        never_sent=[name for name in schema.columns if name not in sent],
        other_types=other_types,
        rejected=rejected,
    )


def _misfits(column: Column, values: Sequence[Any]) -> Mapping[str, int]:
    """JSON type -> number of values that do not fit the column."""
    _, misfits = typed_column(column.data_type, values)
    texts = misfits.to_pylist() if misfits is not None else [None] * len(values)
    return dict(Counter(json_type(value) for value, text in zip(values, texts, strict=True) if text is not None))


def count_links(resource: str, pages: Sequence[Page], params: Mapping[str, Any]) -> dict[str, Linked]:
    """`accounts` or `owners` -> how many of the records are linked to them. `params`: the list's query parameters."""
    records = [record if isinstance(record, dict) else {} for page in pages for record in page.records]
    return {
        link.to: Linked(
            records=len(records),
            linked=sum(any(record.get(name) not in (None, "", [], {}) for name in link.fields) for record in records),
            include=link.include if link.include not in includes(params) else None,
        )
        for link in ENDPOINTS[resource].links
    }


def missing_arrays(resource: str, pages: Sequence[Page], params: Mapping[str, Any]) -> dict[str, str]:
    """Side-loaded array that no answer has -> the `include` that adds it. Only those that are not set yet."""
    wanted = ENDPOINTS[resource].side_loads if any(page.records for page in pages) else {}
    sent = {name for page in pages for name in page.side_loaded}
    return {array: name for name, array in wanted.items() if array not in sent and name not in includes(params)}


def includes(params: Mapping[str, Any]) -> list[str]:
    """The values of `include` in a list's parameters."""
    return [name.strip() for name in str(params.get(INCLUDE, "")).split(",") if name.strip()]
