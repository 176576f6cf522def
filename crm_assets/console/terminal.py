"""The terminal that a command was started in, if any."""

import multiprocessing
import os
import sys
from functools import cache

from rich.console import Console


@cache
def terminal() -> Console | None:
    """The terminal for log lines and progress bars; None if standard error is a file or a pipe.

    Call it before the first step: Dagster redirects standard error to a file while a step runs. It is None in worker
    processes, too (of `dagster dev` and the multiprocess executor): they share a terminal, and their bars would
    overwrite each other.
    """
    if multiprocessing.parent_process() is not None or not sys.stderr.isatty():
        return None
    console = Console(file=os.fdopen(os.dup(sys.stderr.fileno()), "w"), highlight=False)
    return None if console.is_dumb_terminal else console
