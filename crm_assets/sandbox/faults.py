"""Deliberate faults: slow answers and failing ones."""

import asyncio
from dataclasses import dataclass
from itertools import count
from typing import Final

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from crm_assets.sandbox.chance import fraction
from crm_assets.sandbox.errors import error

_GATEWAY_STATUSES: Final = (502, 503, 504)


@dataclass(frozen=True)
class Faults:
    """What goes wrong on purpose; nothing unless told.

    Attributes:
        latency: How long every answer is held back; seconds.
        status: The HTTP status of a failing answer, 400 to 599.
        rate: The share of the requests that fail, from 0 to 1.
        retry_after: What a failing answer says in ``Retry-After``: seconds or an HTTP date.

    Raises:
        ValueError: If a value is out of its range.
    """

    latency: float = 0
    status: int = 503
    rate: float = 0
    retry_after: str | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not self.latency >= 0:
            raise ValueError(f"the latency must not be negative: {self.latency}")
        if self.status not in range(400, 600):
            raise ValueError(f"a fault's status is one of 400 to 599: {self.status}")
        if not 0 <= self.rate <= 1:
            raise ValueError(f"the rate of faults is from 0 to 1: {self.rate}")


class FaultyApp:
    """An ASGI application that lets another one answer, except when a fault is due.

    Which requests fail follows from the seed and the number of requests before.
    """

    def __init__(self, app: ASGIApp, faults: Faults, seed: int) -> None:
        """Stand in front of an application."""
        self._app = app
        self._faults = faults
        self._seed = seed
        self._requests = count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self._faults.latency:
            await asyncio.sleep(self._faults.latency)
        due = fraction(self._seed, next(self._requests)) < self._faults.rate
        await (self._failure() if due else self._app)(scope, receive, send)

    def _failure(self) -> Response:
        status, retry_after = self._faults.status, self._faults.retry_after
        headers = {"Retry-After": retry_after} if retry_after else None
        if status in _GATEWAY_STATUSES:
            page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
            return HTMLResponse(page, status, headers)
        return error(status, "This fault was asked for.", headers)
