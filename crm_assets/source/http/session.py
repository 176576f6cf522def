"""The requests session for `rest_api`: returns pages of one resource, or raises an error that says what is wrong.

It prefetches pages on threads. The paginator decides which pages, and in which order.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from datetime import datetime
from http import HTTPStatus
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import tenacity
from requests import PreparedRequest, Request, Response, Session

from crm_assets.api import ENDPOINTS, PAGE
from crm_assets.errors import ApiError, ApiUnavailable
from crm_assets.masking import know
from crm_assets.settings import CrmSettings, PersonalData, is_loopback
from crm_assets.settings.names import SECTION_IN_USE
from crm_assets.settings.secrets import key_secrets
from crm_assets.source.http import answers
from crm_assets.source.http.answers import OK, Answer
from crm_assets.source.http.attempts import BoundedAdapter, begin_attempt, body, no_answer
from crm_assets.source.http.limits import INTERRUPTIBLE, ReadClosed, Waits, limits_of
from crm_assets.source.http.page import Page, page_of, parse_body

MIN_SECONDS_TO_PREFETCH = 0.003
"""Pages are prefetched if an answer takes at least this many seconds on average."""

MIN_WAIT_TO_LOG = 1.0
"""Waits that the API asks for are logged if they take at least this many seconds."""


class PageResponse(Response):
    """An answer whose data are a single item: the parsed page."""

    def __init__(self, data_selector: str, page: Page) -> None:
        """Has status 200."""
        super().__init__()
        self.status_code = OK
        self._data = {data_selector: [page]}

    def json(self, **kwargs: Any) -> Mapping[str, list[Page]]:
        """The page, where the API has its records."""
        return self._data


class PageSession(Session):
    """Fetches pages of one resource, several at a time.

    Retries transient errors as configured, after the wait that `Retry-After` asks for, or with exponential backoff.
    Never follows a redirect, since the key would be sent along.

    Attributes:
        settings: The settings it reads with.
        resource: The resource whose pages it fetches.
        requests: Requests sent so far, retries included.
        retries: How many of them were retries.
        answered_at: The API's own time of its first answer, UTC; None if no answer has it.
        limits: How fast requests may be sent.
        waits: How long requests have waited for limits and before retries.
    """

    def __init__(
        self,
        settings: CrmSettings,
        resource: str,
        redact: Callable[[list[Any]], None],
        announce: Callable[[str], object],
        watch: Callable[[Answer], object] = lambda _: None,
    ) -> None:
        """Opens no connection yet.

        Args:
            settings: Must have a base URL and a key.
            resource: The resource whose pages to fetch.
            redact: Changes the records of a page in place, before anything else uses them.
            announce: Called on the reading thread with a message about each long wait.
            watch: Called with every answer, on the thread that received it.
        """
        super().__init__()
        know(settings.base_url or "", key_secrets(settings.api_key.get_secret_value() if settings.api_key else ""))
        self.requests = self.retries = 0
        self.answered_at: datetime | None = None
        self.limits = limits_of(settings)
        self.waits = Waits()
        self.settings = settings
        self.resource = resource
        self._selector = ENDPOINTS[resource].data_selector
        self._redact = redact
        self._announce = announce
        self._watch = watch
        self._messages: SimpleQueue[str] = SimpleQueue()
        self._closed = threading.Event()
        self._counting = threading.Lock()
        self._adapter = BoundedAdapter(pool_connections=1, pool_maxsize=settings.max_in_flight)
        self._pool = ThreadPoolExecutor(
            settings.max_in_flight, "crm-page", initializer=SECTION_IN_USE.set, initargs=(SECTION_IN_USE.get(),)
        )
        self._prefetched: dict[int, Future[Page]] = {}
        self._seconds = 0.0
        self._reader = threading.get_ident()
        self._request = Request()
        self._template: PreparedRequest | None = None
        # Proxies and certificates from the environment, resolved once since all requests go to one host.
        self._environment: Any = self.merge_environment_settings(settings.base_url, {}, True, None, None)
        if is_loopback(urlsplit(settings.base_url or "").hostname or ""):
            self._environment["proxies"] = {}  # a proxy cannot reach this machine's loopback
        self._backoff = tenacity.wait_exponential(multiplier=settings.request_backoff_factor)
        self._retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(settings.request_max_attempts),
            retry=tenacity.retry_if_exception_type(ApiUnavailable)
            | tenacity.retry_if_result(lambda answer: answer.transient),
            wait=self._seconds_before_retry,
            sleep=self._sleep,
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )

    def prefetch(self, request: Request, pages: Iterable[int]) -> None:
        """Starts to fetch pages of the list that `request` asks for, unless they are already being fetched.

        Does nothing while answers are fast: passing pages between threads would then cost more than it saves.
        """
        if self._seconds >= MIN_SECONDS_TO_PREFETCH:
            for number in pages:
                if number not in self._prefetched:
                    self._prefetched[number] = self._pool.submit(self._fetch, self._prepare(request, number), number)

    def discard_prefetched(self) -> int:
        """Discards all prefetched pages. Returns how many of them have been requested."""
        requested = sum(not page.cancel() for page in self._prefetched.values())
        self._prefetched.clear()
        return requested

    def prepare_request(self, request: Request) -> PreparedRequest:
        """Notes what `rest_api` asks for next. `send` prepares it, unless it is already being fetched."""
        self._request = request
        return PreparedRequest()

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Returns the page that was asked for last. Fetches it now unless it is already being fetched.

        Raises:
            ApiUnavailable: The last retry failed.
            ApiRefusal: Any other status except 200.
            BadAnswer: Status 200, but the body is not a page of this resource.
        """
        number = self._request.params[PAGE]
        page = self._prefetched.pop(number, None)
        if page is None:
            return PageResponse(self._selector, self._fetch(self._prepare(self._request, number), number))
        while wait([page], INTERRUPTIBLE).not_done:  # an endless wait could not be interrupted
            self._announce_queued()
        self._announce_queued()
        return PageResponse(self._selector, page.result())

    def _announce_queued(self) -> None:
        while not self._messages.empty():
            self._announce(self._messages.get())

    def _queue_message(self, message: str) -> None:
        """Queues a message, which the reading thread announces."""
        self._messages.put(message)
        if threading.get_ident() == self._reader:
            self._announce_queued()

    def close(self) -> None:
        """Ends all waits. No request is sent any more; threads end when theirs does."""
        with self._counting:
            self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._prefetched.clear()
        self._adapter.close()
        super().close()

    def _prepare(self, request: Request, number: int) -> PreparedRequest:
        """Prepares a request. Everything except the page number is prepared once."""
        if self._template is None:
            self._template = super().prepare_request(request)
        prepared = self._template.copy()
        prepared.prepare_url(request.url or "", {**request.params, PAGE: number})
        return prepared

    def _fetch(self, request: PreparedRequest, number: int) -> Page:
        where = f"{self.resource}, page {number}"
        show_message = self.settings.personal_data is PersonalData.keep
        try:
            answer: Answer = self._retrying(self._attempt, request)
            if answer.status == OK:
                page = page_of(number, answer, self._selector, self.settings.per_page, show_message=show_message)
                self._redact(page.records)
                return page
        except ApiError as error:
            is_retried = error.may_recover and self.settings.request_max_attempts > 1
            raise type(error)(f"{where}: {error}{'. Every retry failed as well' if is_retried else ''}") from None
        refusal = answers.status_error(where, answer, show_message=show_message)
        if number > 1 and answer.status in answers.BEYOND_THE_END:
            return Page(number, [], refusal=refusal)
        raise refusal

    def _attempt(self, request: PreparedRequest) -> Answer:
        """Sends the request once. It is in flight until the whole answer is read."""
        with ExitStack() as in_flight:
            with self.waits.counted():
                in_flight.enter_context(self.limits.request(self._closed, self._queue_message))
            with self._counting:
                if self._closed.is_set():
                    raise ReadClosed
                self.requests += 1
            sent_at = time.monotonic()
            try:
                begin_attempt(self.settings.request_deadline)
                response = self._adapter.send(request, timeout=self.settings.request_timeout, **self._environment)
                if response.status_code == HTTPStatus.NON_AUTHORITATIVE_INFORMATION:  # a 200 that a proxy changed
                    response.status_code = OK
                content = body(response)
            except OSError as error:  # requests' own errors derive from it
                raise no_answer(error) from None
            answer = Answer(response.status_code, response.headers, content, time.monotonic() - sent_at)
            self._seconds = (self._seconds + answer.seconds) / 2
        self.answered_at = self.answered_at or answers.http_date(answer.headers.get("Date"))
        try:
            if answer.status == OK:
                answer = answers.with_stated_error(answer, parse_body(answer), self._selector, self.settings.per_page)
        finally:
            self._watch(answer)
        longest = self.settings.request_max_wait
        if answer.status == OK:
            self._pause(answer, min(answer.until_reset, longest))
        elif answer.transient and (answer.retry_after or 0) > longest:
            raise answers.wait_too_long(answer, longest)
        return answer

    def _sleep(self, seconds: float) -> None:
        """Waits before a retry. Ends early if the session is closed."""
        with self.waits.counted():
            self._closed.wait(seconds)

    def _seconds_before_retry(self, state: tenacity.RetryCallState) -> float:
        with self._counting:
            self.retries += 1
        answer = state.outcome.result() if state.outcome and not state.outcome.failed else None
        seconds = self._backoff(state) if answer is None or answer.retry_after is None else answer.retry_after
        if answer and answer.status == answers.TOO_MANY_REQUESTS:
            self.limits.halve()
            self._pause(answer, seconds)
        elif answer and answer.retry_after:
            self._pause(answer, seconds, all_requests=False)
        return seconds

    def _pause(self, answer: Answer, seconds: float, *, all_requests: bool = True) -> None:
        """Announces a long wait, and makes all requests wait, not only this one, if `all_requests`."""
        if (not all_requests or self.limits.pause(seconds)) and seconds >= MIN_WAIT_TO_LOG:
            self._queue_message(f"{self.resource}: {answer.described}, the API asks to wait {seconds:,.0f} s")
