"""Runs a command in a process, and measures it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STEPS = re.compile(
    r"(?:Finished steps in process \(pid: \d+\) in|parent process exiting after) (?:([\d.]+)m)?([\d.]+)(ms|s)\b"
)
"""The last log lines of Dagster's in-process and multiprocess executors."""


@dataclass(frozen=True)
class Measured:
    """The measurements of one process and its children, in seconds and MiB.

    Attributes:
        steps: The time in Dagster's steps; None without Dagster.
        output: What the process printed.
    """

    wall: float
    cpu: float
    peak: float
    steps: float | None
    output: str


def measured(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Measured:
    """Runs a command in a folder. Ends this process if the command fails."""
    environment = {**os.environ, **environment}
    environment.pop("DAGSTER_HOME", None)
    output = folder / "output"
    started = time.monotonic()
    with output.open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    text = output.read_text(errors="replace")
    if status != 0:
        sys.exit(f"{' '.join(command)} failed:\n{text[-3000:]}")
    steps = STEPS.search(text)
    seconds = None
    if steps:
        seconds = float(steps[1] or 0) * 60 + float(steps[2]) / (1000 if steps[3] == "ms" else 1)
    return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, seconds, text)
