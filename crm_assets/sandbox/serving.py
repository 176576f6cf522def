"""The sandbox as a running server, and any ASGI application as one."""

import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from threading import Thread
from types import MappingProxyType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from crm_assets.sandbox.server import Clock, Faults, crm_app
from crm_assets.sandbox.world import World

DEFAULT_ROWS: Final = 4_000
DEFAULT_SEED: Final = 20_250_101

_HOST: Final = "127.0.0.1"
_POLL: Final = 0.002  # seconds
_GRACE: Final = 1  # seconds that a request under way has to end when the block does


@contextmanager
def serving(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """Serve an application on 127.0.0.1 from a thread of its own; signal handlers and logging stay as they are.

    Args:
        app: The application; its lifespan events are not sent.
        port: The port; 0 takes a free one.

    Yields:
        The base URL, such as ``http://127.0.0.1:40213``, once requests are answered.

    Raises:
        OSError: If the port is taken.
        RuntimeError: If the server ends instead of serving.
    """
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
    config.timeout_graceful_shutdown = _GRACE
    server = uvicorn.Server(config)
    # The socket is bound here, not by the server: nobody else can take the port in between.
    with socket.create_server((_HOST, port), backlog=2048) as listener:
        thread = Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
        thread.start()
        try:
            while not server.started:
                if not thread.is_alive():
                    raise RuntimeError(f"the server on port {listener.getsockname()[1]} did not start")
                time.sleep(_POLL)
            yield f"http://{_HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox that answers.

    Attributes:
        base_url: Where, such as ``http://127.0.0.1:40213``.
        api_key: The key to send in the header ``api_key``.
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
    """Serve a generated, living CRM on 127.0.0.1 for as long as the block lasts.

    Args:
        rows: How many records it has in all five lists together; 0 to 1,000,000.
        seed: Decides every record, together with the instant.
        api_key: The key to ask for; a random one if not given.
        port: The port; 0 takes a free one.
        now: The instant to show, or a clock that tells it for each request; the present one if not given.
        faults: What goes wrong on purpose; nothing if not given.
        unknown_fields: How many more fields every record has than any schema declares, 0 to 1,000.
        odd_types: The share of the records in which one field has a value of another type than usual, 0 to 1.
        side_load: Whether answers carry side-loaded arrays although ``include`` does not ask for them.
        empty_lists: Path -> data key of lists that the sandbox has no records for. It answers with empty pages there.

    Yields:
        Where it is and what key it takes.

    Raises:
        ValueError: If a setting is out of range, or an instant given lies before 2025 or has no time zone.
        OSError: If the port is taken.
    """
    if isinstance(now, datetime) and now.tzinfo is None:
        raise ValueError(f"the instant {now.isoformat()} has no time zone; add Z for UTC")
    clock = now if callable(now) else lambda: now or datetime.now(timezone.utc)
    key = api_key or secrets.token_urlsafe(24)
    world = World(rows, seed, unknown_fields=unknown_fields, odd_types=odd_types, side_load=side_load)
    world.move(int(clock().timestamp()))
    app = crm_app(world, api_key=key, clock=clock, faults=faults or Faults(), seed=seed, empty_lists=empty_lists)
    with serving(app, port) as base_url:
        yield RunningSandbox(base_url, key)
