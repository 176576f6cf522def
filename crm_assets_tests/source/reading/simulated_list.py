"""A list of an API in this process: what it answers, how it changes, and in which order requests reach it.

It stands in for the network and for threads only: paginator, session and parser are the real ones. So thousands of
reads take seconds, and each can be repeated exactly.
"""

import json
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from io import BytesIO
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr
from requests import PreparedRequest, Request, Response

from crm_assets.settings import CrmSettings
from crm_assets.source.http import session as session_module
from crm_assets.source.http.page import Page
from crm_assets.source.http.session import PageSession
from crm_assets.source.reading.paginator import FullReadPaginator
from crm_assets.source.reading.report import ReadReport

TOTALS = ("none", "right", "capped", "of the page", "so far", "of two replicas")
ENDS = ("empty", "last page repeated", "page ignored", "refused")


@dataclass(frozen=True)
class Change:
    """What happens to the list before a request is answered: `records` added (or removed, if negative) at a share."""

    request: int
    share: float
    records: int


@dataclass(frozen=True)
class Answered:
    """An answer: the page, and how often the list had grown and shrunk before."""

    page: int
    added: int
    removed: int


@dataclass
class SimulatedList:
    """The list and its API.

    Attributes:
        rows: Records at the beginning.
        page_sizes: Sizes of the pages, over and over. The largest is what is asked for.
        totals: One of `TOTALS`.
        end: What the API does beyond the last page: one of `ENDS`.
        cap: The largest total it tells, if totals are capped; the last page it serves, if later ones are refused.
        changes: What happens to the list, and when.
        in_flight: Requests at a time.
        chance: In which order they are answered.
    """

    rows: int
    page_sizes: Sequence[int] = (5,)
    totals: str = "right"
    end: str = "empty"
    cap: int = 1_000_000
    changes: Sequence[Change] = ()
    in_flight: int = 1
    chance: Random = field(default_factory=Random)
    answered: list[Answered] = field(default_factory=list)
    added: int = 0
    removed: int = 0

    def __post_init__(self) -> None:
        """Numbers the records."""
        self.ids = list(range(1, self.rows + 1))
        self.ever = set(self.ids)
        self.always = self.ever - (self.behind if self.totals == "of two replicas" else set())
        self.most_pages = self._pages(self.ids)

    def start(self, page: int) -> int:
        """How many records stand before a page."""
        rounds, rest = divmod(page - 1, len(self.page_sizes))
        return rounds * sum(self.page_sizes) + sum(self.page_sizes[:rest])

    def _pages(self, ids: Sequence[int]) -> int:
        return next(page for page in range(len(ids) + 1) if self.start(page + 1) >= len(ids))

    def answer(self, page: int) -> tuple[int, Any]:
        """The status and the body for one request."""
        for change in self.changes:
            if change.request == len(self.answered) + 1:
                self._change(change)
        ids = self.ids
        if self.totals == "of two replicas" and len(self.answered) % 2:
            ids = [id_ for id_ in ids if id_ not in self.behind]
        self.answered.append(Answered(page, self.added, self.removed))
        if self.end == "refused" and page > self.cap:
            return 400, {"message": "No such page"}
        shown = 1 if self.end == "page ignored" else page
        if self.end == "last page repeated":
            shown = max(1, min(page, self._pages(ids)))
        records = [{"id": id_} for id_ in ids[self.start(shown) : self.start(shown + 1)]]
        total = {
            "none": None,
            "capped": min(len(ids), self.cap),
            "of the page": len(records),
            "so far": min(len(ids), self.start(page + 1)),
        }.get(self.totals, len(ids))
        return 200, {"tasks": records, "meta": {"total": total}}

    @property
    def behind(self) -> set[int]:
        """Records that the second replica lacks."""
        return {2, 3} & self.ever

    def _change(self, change: Change) -> None:
        at = round(change.share * len(self.ids))
        if change.records > 0:
            new = range(len(self.ever) + 1, len(self.ever) + 1 + change.records)
            self.ids[at:at] = new
            self.ever |= set(new)
            self.added += change.records
        elif gone := self.ids[at : at - change.records]:
            del self.ids[at : at - change.records]
            self.always -= set(gone)
            self.removed += len(gone)
        self.most_pages = max(self.most_pages, self._pages(self.ids))


@dataclass
class SimulatedRead:
    """What a read received."""

    listed: SimulatedList
    report: ReadReport | None = None
    ids: set[int] = field(default_factory=set)

    @property
    def complete(self) -> bool:
        """Whether the read says that it has all."""
        return self.report is not None and self.report.complete

    @property
    def missed(self) -> set[int]:
        """Records that were in the list from the beginning to the end, and were not received."""
        return self.listed.always - self.ids


class _Network:
    """The place of threads, sockets and time: requests that were started are answered in an arbitrary order."""

    def __init__(self, listed: SimulatedList) -> None:
        self.listed, self.chance = listed, listed.chance
        self.started: list[tuple[Future[Page], Any, tuple[Any, ...]]] = []
        self.is_answering = False

    def submit(self, fetch: Any, *arguments: Any) -> Future[Page]:
        future: Future[Page] = Future()
        self.started.append((future, fetch, arguments))
        return future

    def shutdown(self, **_: Any) -> None:
        self.started.clear()

    def answer_one(self) -> None:
        future, fetch, arguments = self.started.pop(
            self.chance.randrange(min(len(self.started), self.listed.in_flight))
        )
        if future.set_running_or_notify_cancel():
            self.is_answering = True
            future.set_result(fetch(*arguments))
            self.is_answering = False

    def answer_some(self) -> None:
        for _ in range(self.chance.randrange(self.listed.in_flight)):
            if self.started:
                self.answer_one()

    def wait(self, futures: Sequence[Future[Page]], _timeout: float) -> Any:
        while not futures[0].done():
            self.answer_one()
        self.answer_some()
        return type("Done", (), {"not_done": set()})

    def send(self, request: PreparedRequest, **_: Any) -> Response:
        if not self.is_answering:
            self.answer_some()
        [page] = parse_qs(urlsplit(request.url or "").query)["page"]
        status, body = self.listed.answer(int(page))
        response = Response()
        response.status_code, response.raw = status, BytesIO(json.dumps(body).encode())
        return response

    def close(self) -> None:
        """Nothing is open."""


def read_list(listed: SimulatedList) -> SimulatedRead:
    """Reads the list with the real paginator and session.

    Raises:
        BadAnswer: As the paginator raises it.
    """
    network = _Network(listed)
    settings = CrmSettings(
        base_url="http://127.0.0.1:9",
        api_key=SecretStr("key"),
        per_page=max(listed.page_sizes),
        max_in_flight=listed.in_flight,
    )
    reading = SimulatedRead(listed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_module, "BoundedAdapter", lambda **_: network)
        patch.setattr(session_module, "ThreadPoolExecutor", lambda *_, **__: network)
        patch.setattr(session_module, "wait", network.wait)
        patch.setattr(session_module, "MIN_SECONDS_TO_PREFETCH", 0)
        session = PageSession(settings, "open_tasks", lambda _: None, lambda _: None)
        paginator = FullReadPaginator(session)
        # As dlt's RESTClient does it, which takes most of the time.
        request = Request("GET", f"{settings.base_url}/v1/tasks", params={"per_page": settings.per_page})
        paginator.init_request(request)
        while paginator.has_next_page:
            response = session.send(session.prepare_request(request))
            [page] = response.json()["tasks"]
            reading.ids |= set(filter(None, page.ids))
            paginator.update_state(response, [page])
            paginator.update_request(request)
    reading.report = paginator.report
    return reading
