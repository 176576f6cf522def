"""The sandbox's HTTP API, which answers, or fails, as the CRM's API does, and the server that runs it."""

import asyncio
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import count
from math import inf
from threading import Thread
from types import MappingProxyType
from typing import TypeAlias

import uvicorn
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from crm_assets.sandbox.chance import fraction
from crm_assets.sandbox.listing import MAX_SLOTS
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
    """

    latency: float = 0
    status: int = 503
    rate: float = 0
    retry_after: str | None = None

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


MAX_UNKNOWN_FIELDS = 1_000
DEFAULT_ROWS = 4_000
DEFAULT_SEED = 20_250_101

HOST = "127.0.0.1"
GRACE = 1  # seconds that running requests have to end when the block ends


@contextmanager
def serving(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """Serves an application on 127.0.0.1 from its own thread. Does not change signal handlers or logging.

    Args:
        app: The application; its lifespan events are not sent.
        port: The port; 0 takes a free one.

    Yields:
        The base URL, such as `http://127.0.0.1:40213`, of a socket that accepts connections.

    Raises:
        OSError: If the port is taken.
    """
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
    config.timeout_graceful_shutdown = GRACE
    server = uvicorn.Server(config)
    # The socket is bound here, not by the server, so that no other process can take the port in between.
    with socket.create_server((HOST, port), backlog=2048) as listener:
        thread = Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@dataclass(frozen=True)
class RunningSandbox:
    """A running sandbox.

    Attributes:
        base_url: Its URL, such as `http://127.0.0.1:40213`.
        api_key: The key to send in the header `api_key`.
    """

    base_url: str
    api_key: str = field(repr=False)


@contextmanager
def serving_sandbox(  # noqa: PLR0913 - each is a setting, passed by its name
    *,
    rows: int = DEFAULT_ROWS,
    seed: int = DEFAULT_SEED,
    api_key: str | None = None,
    port: int = 0,
    now: datetime | Clock | None = None,
    faults: Faults | None = None,
    unknown_fields: int = 0,
    odd_types: float = 0,
    side_load: bool = False,
    empty_lists: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[RunningSandbox]:
    """Serves a CRM with generated records on 127.0.0.1 while the block runs.

    Args:
        rows: The number of records in all five lists together, 0 to 1,000,000.
        seed: Together with the time, determines every record.
        api_key: The required key; a random one by default.
        port: The port; 0 takes a free one.
        now: The time to show, or a clock that is read for each request; the current time by default.
        faults: Deliberate faults; none by default.
        unknown_fields: The number of undeclared fields of every record, 0 to 1,000.
        odd_types: The share of records in which one field has a value of another type, 0 to 1.
        side_load: Whether answers have side-loaded arrays even without `include`.
        empty_lists: Path -> data key of further lists, which are empty.

    Yields:
        The URL and the key.

    Raises:
        ValueError: If a value is out of range, or a given time is before 2025 or has no time zone.
        OSError: If the port is taken.
    """
    faults = faults or Faults()
    for what, value, least, most in (
        ("rows", rows, 0, MAX_SLOTS),
        ("unknown fields", unknown_fields, 0, MAX_UNKNOWN_FIELDS),
        ("share of records with an odd type", odd_types, 0, 1),
        ("latency", faults.latency, 0, inf),
        ("rate of faults", faults.rate, 0, 1),
        ("status of faults", faults.status, 400, 599),
    ):
        if not least <= value <= most:
            raise ValueError(f"{what}: {value:,} is not within {least:,} to {most:,}")
    if isinstance(now, datetime) and now.tzinfo is None:
        raise ValueError(f"the time {now.isoformat()} has no time zone; add Z for UTC")
    clock = now if callable(now) else lambda: now or datetime.now(timezone.utc)
    key = api_key or secrets.token_urlsafe(24)
    world = World(rows, seed, unknown_fields=unknown_fields, odd_types=odd_types, side_load=side_load)
    world.move(int(clock().timestamp()))
    app = crm_app(world, api_key=key, clock=clock, faults=faults, seed=seed, empty_lists=empty_lists)
    with serving(app, port) as base_url:
        yield RunningSandbox(base_url, key)
