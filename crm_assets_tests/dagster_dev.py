"""`dagster dev`, as `make dev` starts it, in a folder of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

CHECKOUT = Path(__file__).parents[1]
DAGSTER = Path(sys.executable).with_name("dagster")


@dataclass(frozen=True)
class DagsterDev:
    """A running one.

    Attributes:
        url: Of the UI, without a slash at the end.
        project: The folder that stands for the checkout: `.env` and `data/` lie here.
    """

    url: str
    project: Path


@contextmanager
def dagster_dev(project: Path) -> Iterator[DagsterDev]:
    """Runs it until the body ends. What it logs goes to `dagster_dev.log` in the folder.

    Raises:
        RuntimeError: It ended before it answered.
    """
    home = project / ".dagster"
    home.mkdir()
    for file, place in (("dagster.yaml", home), ("workspace.yaml", project), ("pyproject.toml", project)):
        shutil.copy(CHECKOUT / file, place)
    environment = {
        "PATH": os.defpath,
        "HOME": str(project),
        "DAGSTER_HOME": str(home),
        "DLT_PROJECT_DIR": str(project),
        "CRM_DATA_DIR": str(project / "data"),
        "PYTHONPATH": str(CHECKOUT),
    }
    subprocess.run([DAGSTER, "instance", "info"], cwd=project, env=environment, check=True, stdout=subprocess.DEVNULL)
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    with (project / "dagster_dev.log").open("wb") as log:
        process = subprocess.Popen(
            [DAGSTER, "dev", "--port", str(port)],
            cwd=project,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_for(url, process, project / "dagster_dev.log")
        yield DagsterDev(url, project)
    finally:
        _stop(process)


@retry(retry=retry_if_exception_type(requests.ConnectionError), wait=wait_fixed(0.5), stop=stop_after_delay(120))
def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    if process.poll() is not None:
        raise RuntimeError(f"dagster dev ended with {process.returncode}:\n{log.read_text(encoding='utf-8')[-3000:]}")
    requests.get(f"{url}/server_info", timeout=10).raise_for_status()


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends it as Ctrl-C does, then whatever it has left behind."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(timeout=30)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
