"""At most two requests for one list, and what came back."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from dlt.sources.helpers.rest_client.auth import APIKeyAuth
from dlt.sources.helpers.rest_client.client import RESTClient

from crm_assets.settings import CrmSettings
from crm_assets.source.api import NEWEST_FIRST, PAGE
from crm_assets.source.crm_source import HEADERS, query
from crm_assets.source.errors import SourceError
from crm_assets.source.http.answers import OK, TOO_MANY_REQUESTS, Answer
from crm_assets.source.http.page import Page
from crm_assets.source.http.session import PageResponse, PageSession

LONGEST_WAIT = 10.0
"""Seconds that the API may ask to wait before the next request is left out: somebody is looking on."""

MAY_MEAN_THE_ORDER = frozenset({400, 422})
"""Statuses with which an API may refuse an order that it does not know."""


@dataclass
class Sample:
    """What two requests have brought.

    Attributes:
        resource: The list.
        per_page: Records a page that were asked for.
        answers: The answers, without those that never came.
        requests: Requests sent.
        first: The first page, newest first if the API sorts.
        last: The last page by the API's count, page 2 where it does not count; None if not asked for or not served.
        order_refused: The API serves the first page only if no order is asked for.
        error: Why a page is missing; empty when none is.
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
        """Records in the list by the API's own count."""
        return self.first.total if self.first else None

    @property
    def seconds(self) -> float:
        """What an answer took, on average."""
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
    """How many pages records fill."""
    return -(-records // page_size)  # exact for any number that an API may claim


def take_sample(resource: str, settings: CrmSettings, announce: Callable[[str], object]) -> Sample:
    """Asks for the first page as an incremental read does, and then for the last one.

    So two requests show most: fields, number of records and order with the first, and with the second whether the API
    serves the list to its end. Where the API refuses the order, the second asks for a full read's first page. Nothing
    is retried: what passes is to be seen.

    Args:
        resource: The list.
        settings: With a base URL and a key.
        announce: Called with sentences about long waits.
    """
    sample = Sample(resource, settings.per_page)
    once = settings.model_copy(update={"request_max_attempts": 1})
    with closing(PageSession(once, resource, _as_sent, announce, sample.answers.append)) as session:
        try:
            _ask(sample, once, session)
        except SourceError as error:
            sample.error = str(error)
        sample.requests = session.requests
    return sample


def _ask(sample: Sample, settings: CrmSettings, session: PageSession) -> None:
    try:
        sample.first = _page(1, NEWEST_FIRST, sample.resource, settings, session)
    except SourceError as error:
        if not sample.answers or sample.answers[-1].status not in MAY_MEAN_THE_ORDER:
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
    sample.last = _page(number, NEWEST_FIRST, sample.resource, settings, session)


def _last_page(first: Page) -> int | None:
    """The page that the list should end on; None if there is no other than the first."""
    if not first.records:
        return None
    if first.total is None:
        return 2
    number = pages_of(first.total, len(first.records))
    return number if number > 1 else None


def _page(number: int, order: Mapping[str, str], resource: str, settings: CrmSettings, session: PageSession) -> Page:
    """Asks for a page exactly as a read would."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    client = RESTClient(
        base_url=settings.base_url or "",
        headers=dict(HEADERS),
        auth=APIKeyAuth(name=settings.api_key_name, api_key=key),
        session=session,
    )
    response = client.get(settings.path(resource), params={**query(resource, settings, order), PAGE: number})
    if not isinstance(response, PageResponse):
        raise TypeError("responses come from PageSession")
    return response.page


def _as_sent(records: list[object]) -> None:
    """Leaves records as they are: they are compared with what is declared, and go no further."""
