"""The sandbox in a separate process, so that its CPU time is not measured."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sandbox(key: str, *arguments: str) -> Iterator[str]:
    """Serves until the body ends; yields the base URL. `arguments`: see `python -m crm_assets.sandbox --help`."""
    command = [sys.executable, "-m", "crm_assets.sandbox", f"--key={key}", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert url is not None
        try:
            yield url[0]
        finally:
            process.send_signal(signal.SIGTERM)
