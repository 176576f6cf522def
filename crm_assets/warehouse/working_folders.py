"""Working folders of runs: records that are not loaded yet, and what DuckDB moves out of memory."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

PARENT = "pipelines"
"""The folder of the working folders, in the data directory."""


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
