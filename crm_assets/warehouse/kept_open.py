"""Keeps something open for the next use: a DuckDB file, which takes 50 ms of CPU to open, checkpoint and close."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Generic, TypeVar

SECONDS = 1.0
"""How long others may have to wait in addition."""

T = TypeVar("T")


class KeptOpen(Generic[T]):
    """What a context manager opens. It is closed a second later, or at the end of the use that lasts until then."""

    def __init__(self, opened: Callable[[], AbstractContextManager[T]]) -> None:
        """Opens nothing yet.

        Args:
            opened: The context manager. Another thread may close it.
        """
        self._opened, self._closing = opened, ExitStack()
        self._value: T | None = None
        self._in_use = threading.RLock()

    @property
    def value(self) -> T | None:
        """What is open now."""
        return self._value

    @contextmanager
    def used(self) -> Iterator[T]:
        """What is open, or is opened now. An error closes it."""
        with self._in_use:
            if self._value is None:
                self._value = self._closing.enter_context(self._opened())
                timer = threading.Timer(SECONDS, self.close)
                timer.daemon = True
                timer.start()
                self._closing.callback(timer.cancel)
            try:
                yield self._value
            except BaseException as error:
                self._close(error)
                raise

    def close(self) -> None:
        """Closes it, after its use."""
        with self._in_use:
            self._close(None)

    def _close(self, error: BaseException | None) -> None:
        self._value = None
        self._closing.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)
