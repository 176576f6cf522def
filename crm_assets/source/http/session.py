"""HTTP to the CRM: dlt's requests client with the retries that are wanted, counted, and answers checked for sense.

The session knows one resource; `rest_api` uses it like any other requests session.
"""

import math
import threading
from typing import Any

from dlt.sources.helpers.requests import Client
from requests import PreparedRequest, Request, Response, Session
from requests.exceptions import ChunkedEncodingError, ContentDecodingError, RequestException, Timeout
from requests.exceptions import ConnectionError as ConnectionFailed
from requests.hooks import default_hooks
from tenacity import Retrying, sleep_using_event

from crm_assets.source.api import ENDPOINTS
from crm_assets.source.errors import ApiRefusal, ApiUnavailable, BadAnswer
from crm_assets.source.http.answers import connection_problem, page_body, page_total, status_error
from crm_assets.source.http.attempts import OK, AttemptAdapter
from crm_assets.source.http.limits import traffic_to
from crm_assets.source.reading.read_ahead import PAGE, ReadAhead, page_of
from crm_assets.source.reading.report import ReadMode, ReadReport
from crm_assets.source.schemas import resource_schema
from crm_assets.source.settings import CrmSettings
from crm_assets.source.typing.redaction import disguise

RETRIED_STATUS = (429, 500, 502, 503, 504)
RETRIED_EXCEPTIONS = (ConnectionFailed, Timeout, ChunkedEncodingError)

GUESSED_SHARE = 4
"""Where the end of a read is not known, a fourth as many pages are guessed ahead as were read."""

WINDOWS_AHEAD = 2
"""Pages that are kept ready or on their way, in windows: none is free for long while a batch is being put together."""


class PageSession(Session):
    """A requests session whose answers are pages of one resource, or errors that say what is wrong.

    Retries 429, 500, 502, 503, 504, dropped connections and time-outs as the settings say, waiting as long as
    `Retry-After` asks or exponentially. Never follows a redirect: the key would go along. Fetches pages ahead.
    """

    def __init__(self, settings: CrmSettings, resource: str, report: ReadReport) -> None:
        """Opens no connection yet."""
        super().__init__()
        self._resource = resource
        self._data_selector = ENDPOINTS[resource].data_selector
        self._report = report
        self._settings = settings
        self._columns = resource_schema(resource).columns
        self._traffic = traffic_to(settings.base_url or "", settings.max_in_flight, settings.requests_per_minute)
        self._adapter = AttemptAdapter(report, self._traffic, settings.request_backoff_factor, settings.max_in_flight)
        self._closed = threading.Event()
        client = Client(
            status_codes=RETRIED_STATUS,
            exceptions=RETRIED_EXCEPTIONS,
            request_max_attempts=settings.request_max_attempts,
            request_backoff_factor=settings.request_backoff_factor,
        )
        # Its retries alone: its sessions would keep cookies and follow redirects, at a tenth of the cost of a request.
        retrying: Any = client.session.send
        self._with_retries: Retrying = retrying.retry.copy(sleep=sleep_using_event(self._closed))
        self._read_ahead = ReadAhead(self._fetch, self._traffic, settings.max_in_flight)
        self._environment: Any = None
        self._prepared: PreparedRequest | None = None
        self._pages_read = 0
        self._largest_page = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> "PageSession":
        """Stays itself: rest_api copies its configuration to validate it."""
        return self

    def prepare_request(self, request: Request) -> PreparedRequest:
        """As requests does, but once: of the pages that follow, only the number is new."""
        if self._prepared is None:
            self._prepared = super().prepare_request(request)
        prepared = self._prepared.copy()
        prepared.url = PAGE.sub(str(request.params["page"]), prepared.url or "", count=1)
        return prepared

    def merge_environment_settings(self, url: Any, *args: Any) -> Any:
        """Proxies and certificates as the environment says: looked up once, as all requests go to one host."""
        if self._environment is None:
            self._environment = super().merge_environment_settings(url, *args)
        return self._environment.copy()

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Returns an answer that holds a page, and starts to fetch those that will follow.

        Raises:
            ApiUnavailable: Still failing after all retries.
            ApiRefusal: Any other status but 200.
            BadAnswer: Status 200 with a body that is no page of this resource.
        """
        # rest_api's own hook raises on status 4xx and 5xx before the client could retry.
        request.hooks = default_hooks()
        response = self._read_ahead.get(request)
        self._expect_following(request, response)
        return response

    def close(self) -> None:
        """Ends all waiting; threads end as soon as their request does."""
        self._closed.set()
        self._read_ahead.close()
        self._adapter.close()
        super().close()

    def _expect_following(self, request: PreparedRequest, response: Response) -> None:
        """Fetches ahead as many pages as the window allows and the list seems to have.

        Where the end is not known, or may be near, at most a fourth of the pages read so far is guessed ahead: a
        list's end, or an incremental read's, then costs few requests in vain.
        """
        page, records = page_of(request), len(response.json()[self._data_selector])
        total = page_total(response)
        self._pages_read += 1
        self._largest_page = max(self._largest_page, records)
        if not records:
            return
        ahead = self._traffic.window * WINDOWS_AHEAD
        if total is not None:
            ahead = min(ahead, math.ceil(total / self._largest_page) - page)
        elif records < self._largest_page:
            ahead = 0
        if total is None or self._report.mode is ReadMode.incremental:
            ahead = min(ahead, self._pages_read // GUESSED_SHARE)
        self._report.pages_ahead = max(self._report.pages_ahead, ahead)
        self._read_ahead.expect(request, range(page + 1, page + 1 + ahead))

    def _fetch(self, request: PreparedRequest) -> Response:
        where = f"{self._resource}, page {page_of(request)}"
        try:
            response: Response = self._with_retries(
                self._adapter.send, request, **self._environment or {}, timeout=self._settings.request_timeout
            )
        except BadAnswer as error:
            raise BadAnswer(f"{where}: {error}") from None
        except ContentDecodingError:
            raise BadAnswer(f"{where}: the answer's body is not what its Content-Encoding says") from None
        except RETRIED_EXCEPTIONS as error:
            raise ApiUnavailable(f"{where}: {connection_problem(error)}") from None
        except RequestException as error:
            raise ApiRefusal(f"{where}: the request could not be sent ({type(error).__name__})") from None
        if response.status_code != OK:
            raise status_error(where, response, retried=response.status_code in RETRIED_STATUS)
        body = page_body(where, response, self._data_selector)
        disguise(body[self._data_selector], self._columns, self._settings)
        # Parsed once; the paginator and the data selector read it, too.
        response.json = lambda **_: body  # type: ignore[method-assign]
        return response
