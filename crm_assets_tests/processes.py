"""Processes: commands, and functions in processes that begin with the project imported, which would take longer."""

import multiprocessing
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["crm_assets_tests.assets.raw_runs"])

UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
"""The beginning of a command: root may write anywhere, unless its process gives up its capabilities."""

can_be_denied = pytest.mark.skipif(
    bool(UNPRIVILEGED) and not shutil.which("setpriv"), reason="setpriv is missing: root may do anything"
)
"""For tests of folders that their process may not write to."""


def started(function: Callable[..., object], *arguments: Any) -> ForkServerProcess:
    """Calls a function of a module in a process of its own, with this one's environment and working folder."""
    process = FORKED.Process(target=_called, args=(function, arguments, dict(os.environ), Path.cwd()))
    process.start()
    return process


def _called(function: Callable[..., object], arguments: Any, environment: Mapping[str, str], folder: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    function(*arguments)


def exit_codes(*processes: ForkServerProcess) -> list[int | None]:
    """How processes ended."""
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def completed(command: Sequence[str | Path], **options: Any) -> "subprocess.CompletedProcess[str]":
    """A command that has ended, with what it printed."""
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)
