"""Runs the sandbox, or any ASGI application, as a server."""

import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from threading import Thread
from types import MappingProxyType

import uvicorn
from starlette.types import ASGIApp

from crm_assets.sandbox.server import Clock, Faults, crm_app
from crm_assets.sandbox.world import World

DEFAULT_ROWS = 4_000
DEFAULT_SEED = 20_250_101

HOST = "127.0.0.1"
POLL = 0.002  # seconds
GRACE = 1  # seconds that running requests have to end when the block ends


@contextmanager
def serving(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """Serves an application on 127.0.0.1 from its own thread. Does not change signal handlers or logging.

    Args:
        app: The application; its lifespan events are not sent.
        port: The port; 0 takes a free one.

    Yields:
        The base URL, such as `http://127.0.0.1:40213`, when the server is ready.

    Raises:
        OSError: If the port is taken.
        RuntimeError: If the server does not start.
    """
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
    config.timeout_graceful_shutdown = GRACE
    server = uvicorn.Server(config)
    # The socket is bound here, not by the server, so that no other process can take the port in between.
    with socket.create_server((HOST, port), backlog=2048) as listener:
        thread = Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
        thread.start()
        try:
            while not server.started:
                if not thread.is_alive():
                    raise RuntimeError(f"the server on port {listener.getsockname()[1]} did not start")
                time.sleep(POLL)
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
    if isinstance(now, datetime) and now.tzinfo is None:
        raise ValueError(f"the time {now.isoformat()} has no time zone; add Z for UTC")
    clock = now if callable(now) else lambda: now or datetime.now(timezone.utc)
    key = api_key or secrets.token_urlsafe(24)
    world = World(rows, seed, unknown_fields=unknown_fields, odd_types=odd_types, side_load=side_load)
    world.move(int(clock().timestamp()))
    app = crm_app(world, api_key=key, clock=clock, faults=faults or Faults(), seed=seed, empty_lists=empty_lists)
    with serving(app, port) as base_url:
        yield RunningSandbox(base_url, key)
