"""Sends messages to chats, mailboxes and webhooks through Apprise, or writes them to the log."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from crm_assets.masking import masked
from crm_assets.settings.secrets import addresses_in

LONGEST_SEND = 30.0
"""Timeout for one address, in seconds. The run waits meanwhile."""


@dataclass(frozen=True)
class Message:
    """An alert or a digest. `type` is Apprise's: it decides about colour and icon. `attachment`: a file to send."""

    type: Literal["failure", "warning", "success", "info"]
    title: str
    body: str
    attachment: Path | None = None


def send(message: Message, addresses: str, log: Callable[[str], object]) -> bool:
    """Sends a message to all addresses.

    Args:
        message: What to send.
        addresses: Apprise URLs, separated by commas or blanks. If empty, the message is logged.
        log: Called with log messages. They name only the kind of an address: the rest holds a password or a token.

    Returns:
        Whether the message arrived at one address at least.
    """
    message = replace(message, title=masked(message.title), body=masked(message.body))
    if not addresses.strip():
        log(f"{message.title}\n{message.body}")
        return True
    return any([_sent(message, address, log) for address in addresses_in(addresses)])  # noqa: C419


def _sent(message: Message, address: str, log: Callable[[str], object]) -> bool:
    # Imported here: most runs send no alert.
    from apprise import Apprise, NotifyFormat

    kind = address.partition("://")[0] if "://" in address else "unknown"
    sender = Apprise()
    if not sender.add(address):
        log(f"CRM_NOTIFY has an address of kind {kind!r} that Apprise does not support: nothing is sent to it")
        return False
    arrived = sender.notify(
        title=message.title,
        body=message.body,
        notify_type=message.type,
        body_format=NotifyFormat.TEXT,  # else what looks like a link would be one
        timeout=LONGEST_SEND,
        attach=str(message.attachment) if message.attachment else None,
    )
    if not arrived:
        log(f"A message did not arrive at the address of kind {kind!r} in CRM_NOTIFY: {message.title}")
    return bool(arrived)
