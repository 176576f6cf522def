"""What all kinds of warehouses do: keep a connection open, change a database, publish.

`Warehouse` describes the methods that they have.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import duckdb

Change = Callable[[duckdb.DuckDBPyConnection], object]
"""Changes a database."""

T = TypeVar("T")


@dataclass(frozen=True)
class Published:
    """The published state of the tables.

    Attributes:
        where: A path, or the warehouse's name.
        is_new: Whether readers see a newer state than before the call.
        version: The number of the snapshot; None if there are no snapshots.
    """

    where: str
    is_new: bool
    version: int | None = None


class KeptOpen(Generic[T]):
    """What a context manager opens, and stays open for the next use. An error closes it."""

    def __init__(self, opened: Callable[[], AbstractContextManager[T]], seconds: float | None = None) -> None:
        """Opens nothing yet.

        Args:
            opened: The context manager. Another thread may close it.
            seconds: How long it stays open, or until the end of the use that lasts longer; None: until `close`.
        """
        self._opened, self._seconds, self._closing = opened, seconds, ExitStack()
        self._value: T | None = None
        self._in_use = threading.RLock()

    @property
    def value(self) -> T | None:
        """What is open now."""
        return self._value

    @contextmanager
    def used(self) -> Iterator[T]:
        """What is open, or is opened now."""
        with self._in_use:
            if self._value is None:
                self._value = self._closing.enter_context(self._opened())
                if self._seconds is not None:
                    timer = threading.Timer(self._seconds, self.close)
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
