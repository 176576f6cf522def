"""Files that only their owner can access, also those that DuckDB and dlt create, and the working folders of runs.

DuckDB replaces its write-ahead log while a connection is open, and takes no mode for it: the process's umask decides.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from operator import or_
from pathlib import Path
from threading import Lock
from uuid import uuid4

from filelock import FileLock, Timeout

ALL_BUT_OWNER = 0o077
"""The umask that denies everything to everyone but the owner."""

PARENT = "pipelines"
"""The folder of the working folders, in the data directory."""


class Umask:
    """The umask of this process, and the masks that its threads add to it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._added: list[int] = []
        self._before = 0

    @contextmanager
    def with_added(self, mask: int = ALL_BUT_OWNER) -> Iterator[None]:
        """Files and folders that are created while the body runs are private, whatever the umask: those of all threads.

        Args:
            mask: What is denied in addition to what the umask denies.
        """
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


private_files = Umask().with_added


def mask_of(folder: Path) -> int:
    """The umask with which a folder's files are for the same people as the folder."""
    return ~stat.S_IMODE(folder.stat().st_mode) & 0o777


def link_or_copy(file: Path, target: Path) -> None:
    """Gives a file a second name, or copies it where the file system has no hard links.

    Raises:
        FileNotFoundError: Somebody has deleted the file.
    """
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)


@contextmanager
def working_folder(data_dir: Path) -> Iterator[Path]:
    """A new folder in the data directory, removed at the end. Also removes folders of killed processes.

    Each folder in use has a lock that ends with its process.
    """
    parent = data_dir / PARENT
    # The files hold records, so only the owner may access the folder and the data directory.
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    parent.mkdir(mode=0o700, exist_ok=True)
    remove_leftovers(data_dir)
    # The lock comes first: without it, the folder would look like that of a killed process.
    folder = parent / uuid4().hex
    lock = FileLock(f"{folder}.lock", mode=0o600, thread_local=False)
    lock.acquire()
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def remove_leftovers(data_dir: Path) -> None:
    """Removes the working folders of killed processes, not those of active ones."""
    for lock_file in (data_dir / PARENT).glob("*.lock"):
        stale = FileLock(lock_file, mode=0o600)
        try:
            stale.acquire(timeout=0)
        except Timeout:
            continue
        shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
        lock_file.unlink(missing_ok=True)
        stale.release()
