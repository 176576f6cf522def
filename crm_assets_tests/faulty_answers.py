"""Answers that go wrong on their way: cut short, late, or without end."""

import asyncio

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Dropped(Response):
    """An answer that breaks off: the server closes the connection in the middle of the body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send less than was promised."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"tasks": [', "more_body": True})


class Late(Response):
    """An answer that takes its time."""

    def __init__(self, seconds: float) -> None:
        """Nothing is waited for yet."""
        super().__init__()
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then send."""
        await asyncio.sleep(self._seconds)
        await super().__call__(scope, receive, send)


class HungUp(Response):
    """An answer of which only the headers come, and then the end of the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send no body."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})


class Endless(Response):
    """An answer whose body does not end. `pause`: seconds from one piece to the next."""

    def __init__(self, piece: bytes, pause: float) -> None:
        """Nothing is sent yet."""
        super().__init__()
        self._piece, self._pause = piece, pause

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the other side has had enough."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()  # the request, of which there is no more
        gone = asyncio.ensure_future(receive())
        while not gone.done():
            await send({"type": "http.response.body", "body": self._piece, "more_body": True})
            await asyncio.sleep(self._pause)


class Unmeasured(Response):
    """An answer whose headers do not say how long it is."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the body."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": self.body})
