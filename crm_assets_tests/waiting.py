"""Waiting for what others do."""

import time
from collections.abc import Callable
from typing import TypeVar

import requests

Found = TypeVar("Found")


def eventually(look: Callable[[], Found | None], patience: float = 600, pause: float = 0.5) -> Found:
    """What `look` finds, as soon as it finds something. A server that cannot be reached may have to start first.

    Args:
        look: Looks once.
        patience: Seconds to wait at most.
        pause: Seconds from one look to the next.

    Raises:
        TimeoutError: It has found nothing.
    """
    give_up_at = time.monotonic() + patience
    while time.monotonic() < give_up_at:
        try:
            if found := look():
                return found
        except requests.RequestException:
            pass
        time.sleep(pause)
    raise TimeoutError(f"Nothing was found within {patience} s")
