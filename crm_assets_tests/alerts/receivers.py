"""Receivers of alerts on loopback: a webhook and a mail server."""

import email
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crm_assets.sandbox.server import serving


@dataclass
class Webhook:
    """A webhook, and what it was sent. It refuses with `status` while that is no success."""

    address: str = ""
    status: int = 200
    received: list[dict[str, Any]] = field(default_factory=list)

    @property
    def titles(self) -> list[str]:
        """The titles of the alerts, in order."""
        return [alert["title"] for alert in self.received]

    async def take(self, request: Request) -> Response:
        """Takes an alert."""
        if self.status == 200:
            self.received.append(await request.json())
        return Response(status_code=self.status)


@contextmanager
def webhook() -> Iterator[Webhook]:
    """A webhook that runs while the body does."""
    hook = Webhook()
    with serving(Starlette(routes=[Route("/{path:path}", hook.take, methods=["POST"])])) as url:
        hook.address = url.replace("http://", "json://") + "/secret-of-the-webhook"
        yield hook


@dataclass
class Mailbox:
    """A mail server, and the mails it was given."""

    address: str = ""
    mails: list[email.message.EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802 # aiosmtpd's name
        """Takes a mail."""
        self.mails.append(email.message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return "250 OK"


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mail server that runs while the body does."""
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    try:
        box.address = f"mailto://127.0.0.1:{port}?from=crm@example.com&to=sales@example.com&mode=insecure"
        yield box
    finally:
        server.stop()
