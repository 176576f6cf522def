"""The sandbox as a running server."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Final

from crm_assets.sandbox.faults import Faults, FaultyApp
from crm_assets.sandbox.server import Clock, crm_app
from crm_assets.sandbox.serving import serving
from crm_assets.sandbox.slots import MOST_SLOTS
from crm_assets.sandbox.world import World

DEFAULT_ROWS: Final = 4_000
DEFAULT_SEED: Final = 20_250_101

_NO_FAULTS: Final = Faults()


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox that answers.

    Attributes:
        base_url: Where, such as ``http://127.0.0.1:40213``.
        api_key: The key to send in the header ``api_key``.
    """

    base_url: str
    api_key: str = field(repr=False)


def wall_clock() -> datetime:
    """Tell the present instant."""
    return datetime.now(timezone.utc)


def frozen(instant: datetime) -> Clock:
    """Make a clock that stands still: every answer of the sandbox is then repeatable."""
    return lambda: instant


@contextmanager
def serving_sandbox(  # noqa: PLR0913 - each is a setting, passed by its name
    *,
    rows: int = DEFAULT_ROWS,
    seed: int = DEFAULT_SEED,
    api_key: str | None = None,
    port: int = 0,
    now: datetime | Clock = wall_clock,
    faults: Faults = _NO_FAULTS,
) -> Iterator[RunningSandbox]:
    """Serve a generated, living CRM on 127.0.0.1 for as long as the block lasts.

    Args:
        rows: How many records it has in all five lists together; 0 to 1,000,000.
        seed: Decides every record, together with the instant.
        api_key: The key to ask for; a random one if not given.
        port: The port; 0 takes a free one.
        now: The instant to show, or a clock that tells it for each request.
        faults: What goes wrong on purpose.

    Yields:
        Where it is and what key it takes.

    Raises:
        ValueError: If ``rows`` is out of range or an instant given lies before 2025 or has no time zone.
        OSError: If the port is taken.
    """
    if not 0 <= rows <= MOST_SLOTS:
        raise ValueError(f"the sandbox has 0 to {MOST_SLOTS:,} rows, not {rows:,}")
    if isinstance(now, datetime) and now.tzinfo is None:
        raise ValueError(f"the instant {now.isoformat()} has no time zone; add Z for UTC")
    clock = frozen(now) if isinstance(now, datetime) else now
    key = api_key or secrets.token_urlsafe(24)
    world = World(rows, seed)
    world.move(int(clock().timestamp()))
    app = FaultyApp(crm_app(world, api_key=key, clock=clock), faults, seed)
    with serving(app, port) as base_url:
        yield RunningSandbox(base_url, key)
