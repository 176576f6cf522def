"""Sends messages to chats, mailboxes and webhooks through Apprise, or writes them to the log."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from crm_assets.masking import masked
from crm_assets.settings.finding import Found
from crm_assets.settings.secrets import addresses_in

LONGEST_SEND = 30.0
"""Timeout for one address, in seconds. The run waits meanwhile."""


KIND = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{,19})://")
"""The start of an address, all that messages show of it."""


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


def unusable(found: Found) -> list[str]:
    """A message for each address in the setting `notify` that Apprise cannot use. Sends nothing."""
    addresses = addresses_in(str(found.values.get("notify", "")))
    return [
        f"{found.given('notify')}: address {number} of {len(addresses)}, of kind {_kind(address)!r}, is not one that "
        "Apprise supports, so nothing is sent to it. Write it as its service's page in "
        "https://github.com/caronc/apprise/wiki says."
        for number, address in enumerate(addresses, 1)
        if address and not _sender(address)
    ]


def _sender(address: str) -> Any:
    """What sends to an address; None if Apprise cannot use it."""
    # Imported here: most runs send no alert.
    from apprise import Apprise, OverflowMode

    sender = Apprise()
    known = sender.add(address)
    for service in sender:
        if service.overflow_mode == OverflowMode.UPSTREAM:  # with which Discord and Telegram refuse long messages
            service.overflow_mode = OverflowMode.SPLIT
    return sender if known else None


def _kind(address: str) -> str:
    found = KIND.match(address)
    return found[1] if found else "unknown"


def _sent(message: Message, address: str, log: Callable[[str], object]) -> bool:
    kind, sender = _kind(address), _sender(address)
    if not sender:
        log(f"CRM_NOTIFY has an address of kind {kind!r} that Apprise does not support: nothing is sent to it")
        return False
    arrived = sender.notify(
        title=message.title,
        body=message.body,
        notify_type=message.type,
        body_format="text",  # else what looks like a link would be one
        timeout=LONGEST_SEND,
        attach=str(message.attachment) if message.attachment else None,
    )
    if not arrived:
        log(f"A message did not arrive at the address of kind {kind!r} in CRM_NOTIFY: {message.title}")
    return bool(arrived)
