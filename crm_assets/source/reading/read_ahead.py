"""Pages ahead of the paginator: those that will be asked for next are fetched while one is being processed."""

import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from requests import PreparedRequest, Response

from crm_assets.source.http.limits import Traffic

PAGE = re.compile(r"(?<=[?&]page=)\d+")
"""The number of the page in a request's URL."""

WORTH_A_REQUEST = 0.01
"""Seconds of waiting for a page after which one more may be on its way: about what it takes to process one."""

INTERRUPTIBLE = 0.5
"""Seconds after which a thread that waits for a page looks whether its run is to end."""


class ReadAhead:
    """Fetches pages on threads, hands each out when it is asked for, and keeps no more than were fetched ahead."""

    def __init__(self, fetch: Callable[[PreparedRequest], Response], traffic: Traffic, threads: int) -> None:
        """Starts no thread yet.

        Args:
            fetch: Gets one page, with all its retries.
            traffic: Where requests queue, so that pages leave in their order.
            threads: Pages that can be on their way at the same time.
        """
        self._fetch = fetch
        self._traffic = traffic
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="crm-page")
        self._coming: dict[str | None, Future[Response]] = {}

    def get(self, request: PreparedRequest) -> Response:
        """The answer to `request`: one that was fetched ahead, or a new one."""
        coming = self._coming.pop(request.url, None) or self._start(request)
        if not coming.done() and wait([coming], WORTH_A_REQUEST).not_done:
            self._traffic.widen()
        while wait([coming], INTERRUPTIBLE).not_done:
            pass  # a thread that waits without an end could not be interrupted
        return coming.result()

    def expect(self, request: PreparedRequest, pages: range) -> None:
        """Starts to fetch the same list's `pages`, but for those that are coming already."""
        before, after = PAGE.split(request.url or "", maxsplit=1)
        for page in pages:
            url = f"{before}{page}{after}"
            if url not in self._coming:
                following = request.copy()
                following.url = url
                self._coming[url] = self._start(following)

    def close(self) -> None:
        """Forgets what was fetched ahead, and starts nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._coming.clear()

    def _start(self, request: PreparedRequest) -> Future[Response]:
        place = self._traffic.take_place()
        request.place = place  # type: ignore[attr-defined]
        coming = self._pool.submit(self._fetch, request)
        coming.add_done_callback(lambda _: self._traffic.give_up(place))
        return coming


def page_of(request: PreparedRequest) -> int:
    """The page that a request asks for."""
    [page] = PAGE.findall(request.url or "")
    return int(page)
