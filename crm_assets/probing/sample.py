"""A sample of one list: at most two requests and their answers."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from dlt.sources.helpers.rest_client.auth import APIKeyAuth
from dlt.sources.helpers.rest_client.client import RESTClient

from crm_assets.api import ENDPOINTS, NEWEST_FIRST, PAGE
from crm_assets.errors import ApiError
from crm_assets.settings import CrmSettings
from crm_assets.source.crm_source import HEADERS, query
from crm_assets.source.http.answers import OK, TOO_MANY_REQUESTS, Answer
from crm_assets.source.http.page import Page
from crm_assets.source.http.session import PageSession
from crm_assets.source.schemas import resource_schema

LONGEST_WAIT = 10.0
"""If the API asks to wait for more seconds, the next request is left out: a user is waiting for the result."""

MAY_MEAN_THE_ORDER = frozenset({400, 422})
"""Statuses with which an API may refuse an unknown sort order."""


@dataclass
class Sample:
    """The answers to at most two requests.

    Attributes:
        resource: The list.
        per_page: Requested records per page.
        answers: The answers received.
        requests: Requests sent.
        first: The first page, newest first if the API sorts.
        last: The last page by the API's count, or page 2 without a count; None if not requested or not served.
        order_refused: Whether the API serves the first page only without a sort order.
        error: Why a page is missing; empty if none is.
    """

    resource: str
    per_page: int
    answers: list[Answer] = field(default_factory=list)
    requests: int = 0
    first: Page | None = None
    last: Page | None = None
    order_refused: bool = False
    error: str = ""

    @property
    def page_size(self) -> int:
        """Records on the first page."""
        return len(self.first.records) if self.first else 0

    @property
    def total(self) -> int | None:
        """Records in the list by the API's count; None if it has none."""
        return self.first.total if self.first else None

    @property
    def seconds(self) -> float:
        """Average seconds per answer."""
        return sum(answer.seconds for answer in self.answers) / len(self.answers) if self.answers else 0.0

    @property
    def wait(self) -> float:
        """Seconds that the API asks to wait before the next request."""
        if not self.answers:
            return 0.0
        answer = self.answers[-1]
        if answer.status == TOO_MANY_REQUESTS:
            return answer.retry_after or 0.0
        return answer.until_reset if answer.status == OK else 0.0


def pages_of(records: int, page_size: int) -> int:
    """How many pages the records fill."""
    return -(-records // page_size)  # integers only: an API may claim any total


def take_sample(resource: str, settings: CrmSettings, announce: Callable[[str], object]) -> Sample:
    """Requests the first page as an incremental read does, if there can be one, and then the last one.

    The first answer shows fields, number of records and order; the second one whether the API serves the whole list.
    If the API refuses the order, the second request is for the first page of a full read. Nothing is retried, so that
    transient errors show.

    Args:
        resource: The list.
        settings: Must have a base URL and a key.
        announce: Called with a message about each long wait.
    """
    sample = Sample(resource, settings.per_page)
    once = settings.model_copy(update={"request_max_attempts": 1})
    with closing(PageSession(once, resource, _as_sent, announce, sample.answers.append)) as session:
        try:
            _ask(sample, once, session)
        except ApiError as error:
            sample.error = str(error)
        sample.requests = session.requests
    return sample


def _ask(sample: Sample, settings: CrmSettings, session: PageSession) -> None:
    order = NEWEST_FIRST if resource_schema(sample.resource).has_updated_at else {}
    try:
        sample.first = _page(1, order, sample.resource, settings, session)
    except ApiError as error:
        if not order or not sample.answers or sample.answers[-1].status not in MAY_MEAN_THE_ORDER:
            raise
        sample.first = _page(1, {}, sample.resource, settings, session)
        sample.order_refused, sample.error = True, str(error)
        return
    number = _last_page(sample.first)
    if number is None:
        return
    if sample.wait > LONGEST_WAIT:
        sample.error = f"{sample.resource}, page {number}: not asked for, as the API asks to wait {sample.wait:,.0f} s"
        return
    sample.last = _page(number, order, sample.resource, settings, session)


def _last_page(first: Page) -> int | None:
    """The number of the list's last page; None if it has only one."""
    if not first.records:
        return None
    if first.total is None:
        return 2
    number = pages_of(first.total, len(first.records))
    return number if number > 1 else None


def _page(number: int, order: Mapping[str, str], resource: str, settings: CrmSettings, session: PageSession) -> Page:
    """Requests a page exactly as a read does."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    client = RESTClient(
        base_url=settings.base_url or "",
        headers=dict(HEADERS),
        auth=APIKeyAuth(name=settings.api_key_name, api_key=key),
        session=session,
    )
    response = client.get(settings.path(resource), params={**query(resource, settings, order), PAGE: number})
    pages: list[Page] = response.json()[ENDPOINTS[resource].data_selector]
    return pages[0]


def _as_sent(records: list[object]) -> None:
    """Does not redact: records are only compared with the schema and are not kept."""
