"""Python's garbage collector, kept to what reads leave behind."""

import atexit
import gc
from threading import Lock
from types import TracebackType


class GarbageOfReadsOnly:
    """While reads go on, spares the garbage collector all objects that were there before: a tenth of a read's time.

    A page's thousands of values make it go through everything again and again, the two hundred thousand objects of the
    imported libraries included. When the process ends it would do so once more, for most of a second.
    """

    def __init__(self) -> None:
        """For all reads of a process, as it has one collector."""
        self._lock = Lock()
        self._reads = 0

    def __enter__(self) -> None:
        with self._lock:
            self._reads += 1
            gc.freeze()
            atexit.unregister(gc.freeze)
            atexit.register(gc.freeze)

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        with self._lock:
            self._reads -= 1
            if not self._reads:
                gc.unfreeze()


garbage_of_reads_only = GarbageOfReadsOnly()
