"""How long requests wait, for rate limits and before retries."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Waits:
    """Counts each second once in which one or more threads wait.

    Attributes:
        seconds: The seconds so far, without waits that have not ended.
    """

    def __init__(self) -> None:
        """Nothing waits yet."""
        self.seconds = 0.0
        self._waiting = 0
        self._since = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """The calling thread waits while the body runs."""
        with self._lock:
            if not self._waiting:
                self._since = time.monotonic()
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                if not self._waiting:
                    self.seconds += time.monotonic() - self._since
