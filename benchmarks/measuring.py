"""What the benchmarks share: the sandbox in a process of its own, measured processes, and Markdown tables."""

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEY = "benchmark"
NOW = "2026-11-01T00:00:00+00:00"
UNUSUAL = ("--unknown-fields=5", "--odd-types=0.01", "--side-load")
"""What records of a real CRM have: undeclared fields, values of other types, side-loaded arrays."""

CRM_ASSETS = (sys.executable, "-m", "crm_assets")
DAGSTER = str(Path(sys.executable).with_name("dagster"))
MATERIALIZE = (DAGSTER, "asset", "materialize", "-m", "crm_assets.definitions", "--select")

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


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser of options that shows a module's docstring."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


@contextmanager
def sandbox(*arguments: str) -> Iterator[str]:
    """Serves until the body ends; yields the base URL. Its CPU time is not measured.

    Args:
        arguments: See `python -m crm_assets.sandbox --help`. It has a free port and shows the time `NOW` by default.
    """
    command = [sys.executable, "-m", "crm_assets.sandbox", f"--key={KEY}", "--port=0", f"--now={NOW}", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert url is not None
        try:
            yield url[0]
        finally:
            process.send_signal(signal.SIGTERM)


def settings(base_url: str, folder: Path) -> dict[str, str]:
    """The environment of a process that reads this CRM and writes into a folder."""
    return {"CRM_DATA_DIR": str(folder), "SOURCES__CRM__BASE_URL": base_url, "SOURCES__CRM__API_KEY": KEY}


def measured(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Measured:
    """Runs a command in a folder. Ends this process if the command fails."""
    given = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    given.update(environment)
    output = folder / "output"
    started = time.monotonic()
    with output.open("wb") as log:
        process = subprocess.Popen(command, env=given, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
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


def medians(runs: Sequence[Measured]) -> tuple[float, float, float]:
    """Of seconds, CPU seconds and peak MiB."""
    wall, cpu, peak = (statistics.median(getattr(run, name) for run in runs) for name in ("wall", "cpu", "peak"))
    return wall, cpu, peak


def head(*columns: str) -> None:
    """Prints the head of a table. Columns whose names end with a colon are of numbers, to the right."""
    line(*(column.removesuffix(":") for column in columns))
    line(*("---:" if column.endswith(":") else "---" for column in columns))


def line(*cells: str | int) -> None:
    """Prints a line of a table."""
    texts = (f"{cell:,}" if isinstance(cell, int) else cell for cell in cells)
    print(f"| {' | '.join(texts)} |", flush=True)
