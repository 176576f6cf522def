"""The sandbox's HTTP API: an ASGI application that answers, or fails, as the CRM's API does."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from crm_assets.sandbox.chance import fraction
from crm_assets.sandbox.world import RESOURCES, World

Clock: TypeAlias = Callable[[], datetime]
"""Returns the time at which the CRM is shown, with a time zone."""

KEY_HEADER = "api_key"
PATHS = {resource.path: resource for resource in RESOURCES}


@dataclass(frozen=True)
class Faults:
    """Deliberate faults; none by default.

    Attributes:
        latency: Seconds by which every answer is delayed.
        status: The HTTP status of a failing answer, 400 to 599.
        rate: The share of requests that fail, from 0 to 1.
        retry_after: The `Retry-After` of a failing answer: seconds or an HTTP date.

    Raises:
        ValueError: If a value is out of its range.
    """

    latency: float = 0
    status: int = 503
    rate: float = 0
    retry_after: str | None = None

    def __post_init__(self) -> None:
        """Checks the ranges."""
        if not self.latency >= 0:
            raise ValueError(f"the latency must not be negative: {self.latency}")
        if self.status not in range(400, 600):
            raise ValueError(f"a fault's status must be 400 to 599: {self.status}")
        if not 0 <= self.rate <= 1:
            raise ValueError(f"the rate of faults must be 0 to 1: {self.rate}")

    def answer(self) -> Response:
        """Makes a failing answer."""
        headers = {"Retry-After": self.retry_after} if self.retry_after else None
        if self.status in (502, 503, 504):  # as a gateway answers
            page = f"<html><head><title>{self.status}</title></head><body><h1>{self.status}</h1></body></html>"
            return HTMLResponse(page, self.status, headers)
        return _error(self.status, "This is a deliberate fault.", headers)


def crm_app(  # noqa: PLR0913 - each is a setting, passed by its name
    world: World, *, api_key: str, clock: Clock, faults: Faults, seed: int, empty_lists: Mapping[str, str]
) -> ASGIApp:
    """Serves a world's five lists, and empty lists at the paths of `empty_lists` (path -> data key).

    The clock is read once per request. The seed and the number of earlier requests decide which requests fail.
    """
    requests = count()

    def answer(request: Request) -> Response:
        resource = PATHS.get(request.url.path)
        data_key = empty_lists.get(request.url.path)
        if not resource and not data_key:
            return _error(404, "Not Found")
        if request.method != "GET":
            return _error(405, "Method Not Allowed")
        if not secrets.compare_digest(request.headers.get(KEY_HEADER, "").encode(), api_key.encode()):
            return _error(401, f"The header {KEY_HEADER} has no valid API key.")
        if not resource:
            return JSONResponse({data_key: [], "meta": {"total": 0}})
        world.move(int(clock().timestamp()))
        try:
            return Response(world.answer(resource, request.query_params), media_type="application/json")
        except ValueError as refusal:
            return _error(400, str(refusal))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if faults.latency:
            await asyncio.sleep(faults.latency)
        due = fraction(seed, next(requests)) < faults.rate
        await (faults.answer() if due else answer(Request(scope)))(scope, receive, send)

    return app


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Makes an error answer in the API's format."""
    return JSONResponse({"errors": {"code": status, "message": [message]}}, status, headers)
