"""A CRM on loopback: it holds exactly the records a test gives it, misbehaves on demand, remembers every request."""

import asyncio
import atexit
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from crm_assets.api import ENDPOINTS
from crm_assets.sandbox.server import serving
from crm_assets.source.http import limits

KEY = "key-of-the-scripted-crm"

Fault = Callable[["Seen"], "Response | None"]
"""Looks at a request and answers in the CRM's place, or returns None to let it."""


@dataclass(frozen=True)
class Seen:
    """A request as it came. `at` is monotonic seconds."""

    resource: str
    page: int
    params: dict[str, str]
    headers: dict[str, str]
    at: float


@dataclass
class ScriptedCrm:
    """The CRM's lists, its manners, and the requests it has seen.

    Attributes:
        lists: Resource -> records, in the order of the list.
        with_meta: Whether answers carry `meta`.
        total: Tells the total that a request is answered with, if not the true one.
        sorts: Resources whose API honours `sort`.
        faults: Each is called in turn; the first answer counts.
        before_page: Called before a page is cut, to change the lists while they are read.
        page_sizes: Sizes of the pages, if not all as large as asked for.
        side_loaded: What stands before the data, by name.
        paths: Resource -> path, where it is not the usual one.
        latency: Seconds that every answer takes.
        holds_back: Keeps the last request's answer for as long as it says so.
        credentials: The header that must be there, and its value.
        most_in_flight: How many requests were being answered at the same time, at most.
    """

    lists: dict[str, list[Any]] = field(default_factory=dict)
    with_meta: bool = True
    total: Callable[[Seen, int], int] | None = None
    sorts: frozenset[str] = frozenset({"accounts", "contacts", "won_deals"})
    faults: list[Fault] = field(default_factory=list)
    before_page: Callable[[Seen], None] | None = None
    page_sizes: Sequence[int] = ()
    side_loaded: dict[str, Any] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    latency: float = 0
    holds_back: Callable[[Seen], bool] | None = None
    credentials: tuple[str, str] = ("api_key", KEY)
    seen: list[Seen] = field(default_factory=list)
    most_in_flight: int = 0
    base_url: str = ""
    _in_flight: int = 0

    def pages(self, resource: str) -> list[int]:
        """The pages of a resource that were asked for, in order."""
        return [seen.page for seen in self.seen if seen.resource == resource]

    def settings(self) -> dict[str, str]:
        """The environment that points the project at this CRM, with waits that suit a test."""
        return {
            "SOURCES__CRM__BASE_URL": self.base_url,
            "SOURCES__CRM__API_KEY": KEY,
            "SOURCES__CRM__REQUEST_BACKOFF_FACTOR": "0.01",
            "SOURCES__CRM__ASSET_RETRY_DELAY": "0",
        }

    async def answer(self, resource: str, request: Request) -> Response:
        """Answers one request, as late as `latency` says."""
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            answer = self._answer(resource, request)
            await asyncio.sleep(self.latency)
            while self.holds_back and self.holds_back(self.seen[-1]):  # noqa: ASYNC110 - a test says when, not an event
                await asyncio.sleep(0.01)
            return answer
        finally:
            self._in_flight -= 1

    def _answer(self, resource: str, request: Request) -> Response:
        params = dict(request.query_params)
        page = int(params.get("page", "1"))
        seen = Seen(resource, page, params, dict(request.headers), time.monotonic())
        self.seen.append(seen)
        for fault in self.faults:
            if (instead := fault(seen)) is not None:
                return instead
        header, value = self.credentials
        if request.headers.get(header) != value:
            return json_response({"errors": {"code": 401, "message": ["Invalid key"]}}, 401)
        if self.before_page:
            self.before_page(seen)
        records = self._sorted(resource, params)
        body: dict[str, Any] = dict(self.side_loaded)
        body[ENDPOINTS[resource].data_selector] = records[self._slice(page, int(params.get("per_page", "25")))]
        if self.with_meta:
            body["meta"] = {"total": self.total(seen, len(records)) if self.total else len(records)}
        return json_response(body)

    def _sorted(self, resource: str, params: dict[str, str]) -> list[Any]:
        records = list(self.lists.get(resource, []))
        if resource in self.sorts and "sort" in params:
            records.sort(key=lambda r: r[params["sort"]], reverse=params.get("sort_type", "desc") == "desc")
        return records

    def _slice(self, page: int, per_page: int) -> slice:
        if not self.page_sizes:
            return slice((page - 1) * per_page, page * per_page)
        start = sum(self.page_sizes[: page - 1])
        return slice(start, start + (self.page_sizes[page - 1] if page <= len(self.page_sizes) else 0))


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer as an API gives it."""
    return Response(json.dumps(body), status, headers=headers, media_type="application/json")


def failing(resource: str, *, page: int, answers: Sequence[Response]) -> Fault:
    """The first requests for one page get these answers, later ones the CRM's own."""
    left = list(answers)

    def fault(seen: Seen) -> Response | None:
        return left.pop(0) if left and (seen.resource, seen.page) == (resource, page) else None

    return fault


def once_before(page: int, change: Callable[[], object]) -> Callable[[Seen], None]:
    """Makes the change once, before the page is answered for the first time."""
    left = [change]

    def before_page(seen: Seen) -> None:
        if seen.page == page and left:
            left.pop()()

    return before_page


def always(resource: str, answer: Callable[[], Response]) -> Fault:
    """Every request for a resource gets this answer."""
    return lambda seen: answer() if seen.resource == resource else None


@contextmanager
def scripted_crm(**arguments: Any) -> Iterator[ScriptedCrm]:
    """A scripted CRM that answers on loopback until the body ends."""
    crm = ScriptedCrm(**arguments)

    def route(resource: str) -> Route:
        async def endpoint(request: Request) -> Response:
            return await crm.answer(resource, request)

        return Route(crm.paths.get(resource, ENDPOINTS[resource].path), endpoint)

    # One after the other they have the same address, and are one CRM whose lists change; side by side they are two.
    name = next(name for number in count(1) if (name := f"crm-{number}") not in _answering)
    crm.base_url = f"{_server()}/{name}"
    _answering[name] = Starlette(routes=[route(resource) for resource in ENDPOINTS])
    limits._limits.cache_clear()  # this process remembers for good that an address asked for fewer requests
    try:
        yield crm
    finally:
        del _answering[name]


@contextmanager
def configured_crm(**arguments: Any) -> Iterator[ScriptedCrm]:
    """A scripted CRM that the environment points at while the body runs."""
    with scripted_crm(**arguments) as crm, pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in crm.settings().items():
            monkeypatch.setenv(name, value)
        yield crm


def tasks(count: int, first: int = 1) -> list[dict[str, Any]]:
    """Tasks with consecutive ids."""
    return [{"id": id_, "title": f"Task {id_}"} for id_ in range(first, first + count)]


_answering: dict[str, Starlette] = {}


@cache
def _server() -> str:
    """The base URL of one server for all scripted CRMs of this process: each would take its time to start and stop."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        _, name, path = scope["path"].split("/", 2)
        crm = _answering.get(name, PlainTextResponse("gone", 410))
        await crm({**scope, "path": f"/{path}"}, receive, send)

    running = ExitStack()
    base_url = running.enter_context(serving(app))
    atexit.register(running.close)
    return base_url
