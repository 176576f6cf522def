"""Runs a command in a process, and measures it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

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


def measured_all(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str], folder: Path
) -> tuple[float, float]:
    """Runs commands at the same time. Returns the seconds until the last one ends, and the CPU seconds of all."""
    started = time.monotonic()
    with ThreadPoolExecutor(len(commands)) as pool:
        folders = [Path(mkdtemp(dir=folder)) for _ in commands]
        runs = list(pool.map(lambda command, own: measured(command, environment, own), commands, folders))
    return time.monotonic() - started, sum(run.cpu for run in runs)
