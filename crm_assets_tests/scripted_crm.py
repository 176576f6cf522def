"""A CRM on loopback that holds exactly the records a test gives it, misbehaves on demand and remembers every request."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crm_assets.sandbox.serving import serving
from crm_assets.source.endpoints import ENDPOINTS

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
        sorts: Resources whose API honours `sort`.
        faults: Asked one after the other; the first answer counts.
        before_page: Called before a page is cut, to change the lists while they are read.
    """

    lists: dict[str, list[Any]] = field(default_factory=dict)
    with_meta: bool = True
    sorts: frozenset[str] = frozenset({"accounts", "contacts", "won_deals"})
    faults: list[Fault] = field(default_factory=list)
    before_page: Callable[[Seen], None] | None = None
    page_sizes: Sequence[int] = ()
    side_loaded: bool = False
    seen: list[Seen] = field(default_factory=list)
    base_url: str = ""

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

    def answer(self, resource: str, request: Request) -> Response:
        """Answers one request."""
        params = dict(request.query_params)
        page = int(params.get("page", "1"))
        seen = Seen(resource, page, params, dict(request.headers), time.monotonic())
        self.seen.append(seen)
        for fault in self.faults:
            if (instead := fault(seen)) is not None:
                return instead
        if request.headers.get("api_key") != KEY:
            return json_response({"errors": {"code": 401, "message": ["Invalid key"]}}, 401)
        if self.before_page:
            self.before_page(seen)
        records = self._sorted(resource, params)
        body: dict[str, Any] = {}
        if self.side_loaded:
            body["users"] = [{"id": 1, "display_name": "Somebody"}]
        body[ENDPOINTS[resource].data_selector] = records[self._slice(page, int(params.get("per_page", "25")))]
        if self.with_meta:
            body["meta"] = {"total": len(records)}
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


def always(resource: str, answer: Callable[[], Response]) -> Fault:
    """Every request for a resource gets this answer."""
    return lambda seen: answer() if seen.resource == resource else None


@contextmanager
def scripted_crm(**arguments: Any) -> Iterator[ScriptedCrm]:
    """A scripted CRM that listens on a free loopback port until the body ends."""
    crm = ScriptedCrm(**arguments)

    def route(resource: str) -> Route:
        async def endpoint(request: Request) -> Response:
            return crm.answer(resource, request)

        return Route(ENDPOINTS[resource].path, endpoint)

    with serving(Starlette(routes=[route(resource) for resource in ENDPOINTS])) as base_url:
        crm.base_url = base_url
        yield crm
