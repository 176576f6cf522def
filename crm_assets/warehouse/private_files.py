"""Files that only their owner can access, also those that DuckDB and dlt create.

DuckDB replaces its write-ahead log while a connection is open, and takes no mode for it: the process's umask decides.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import reduce
from operator import or_
from pathlib import Path
from threading import Lock

ALL_BUT_OWNER = 0o077
"""The umask that denies everything to everyone but the owner."""


class Umask:
    """The umask of this process, and the masks that its threads add to it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._added: list[int] = []
        self._before = 0

    @contextmanager
    def with_added(self, mask: int) -> Iterator[None]:
        """Adds a mask while the body runs. It applies to files of all threads, as the umask is the process's."""
        with self._lock:
            umask = os.umask(ALL_BUT_OWNER)
            if not self._added:
                self._before = umask
            self._added.append(mask)
            self._set()
        try:
            yield
        finally:
            with self._lock:
                self._added.remove(mask)
                self._set()

    def _set(self) -> None:
        os.umask(reduce(or_, self._added, self._before))


_UMASK = Umask()


def private_files(mask: int = ALL_BUT_OWNER) -> AbstractContextManager[None]:
    """Files and folders that are created while the body runs are private, whatever the umask.

    Args:
        mask: What is denied in addition to what the umask denies.
    """
    return _UMASK.with_added(mask)


def mask_of(folder: Path) -> int:
    """The umask with which a folder's files are for the same people as the folder."""
    return ~stat.S_IMODE(folder.stat().st_mode) & 0o777
