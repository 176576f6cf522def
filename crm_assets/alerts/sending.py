"""Sends messages to chats, mailboxes and webhooks through Apprise, or writes them to the log."""

import re
from collections.abc import Callable

from crm_assets.alerts.messages import Message

LONGEST_SEND = 30.0
"""Seconds that one address may take. A run waits for it."""

BETWEEN_ADDRESSES = re.compile(r"[\s,]+(?=[a-zA-Z][a-zA-Z0-9+.-]*://)")


def send(message: Message, addresses: str, log: Callable[[str], object]) -> bool:
    """Sends a message to all addresses.

    Args:
        message: What to send.
        addresses: Apprise URLs, separated by commas or blanks. Empty: the message goes to the log.
        log: Called with sentences. They name the kind of an address only: the rest of it holds a password or a token.

    Returns:
        Whether it arrived anywhere. If not, it is worth sending again.
    """
    if not addresses.strip():
        log(f"{message.title}\n{message.body}")
        return True
    return any([_sent(message, address, log) for address in BETWEEN_ADDRESSES.split(addresses.strip())])  # noqa: C419


def _sent(message: Message, address: str, log: Callable[[str], object]) -> bool:
    # Imported here: a run in which nothing is to be told does without.
    from apprise import Apprise, NotifyType

    kind = address.split(":", 1)[0]
    sender = Apprise()
    if not sender.add(address):
        log(f"CRM_NOTIFY has an address of kind {kind!r} that Apprise does not understand: no alert goes there")
        return False
    arrived = sender.notify(
        title=message.title,
        body=message.body,
        notify_type=NotifyType.SUCCESS if message.is_recovery else NotifyType.FAILURE,
        timeout=LONGEST_SEND,
    )
    if not arrived:
        log(f"An alert did not arrive at the address of kind {kind!r} in CRM_NOTIFY: {message.title}")
    return bool(arrived)
