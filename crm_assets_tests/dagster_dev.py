"""`dagster dev`, as `make dev` starts it, in a folder of its own."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from dagster import DagsterInstance, DagsterRunStatus
from dagster_graphql import DagsterGraphQLClient

from crm_assets_tests.lake_servers import free_port
from crm_assets_tests.waiting import eventually

CHECKOUT = Path(__file__).parents[1]
DAGSTER = Path(sys.executable).with_name("dagster")
HOME, HOST = ".dagster", "127.0.0.1"


@dataclass(frozen=True)
class DagsterDev:
    """A running one.

    Attributes:
        url: Of the UI, without a slash at the end.
        project: The folder that stands for the checkout: `.env` and `data/` lie here.
    """

    url: str
    project: Path

    def submit(self, job: str, *assets: str) -> str:
        """Asks for a run of a job, or of some of its assets, as the UI does: the run's id."""
        client = DagsterGraphQLClient(HOST, port_number=urlsplit(self.url).port)
        return client.submit_job_execution(job, asset_selection=[asset.split("/") for asset in assets] or None)

    @contextmanager
    def instance(self) -> Iterator[DagsterInstance]:
        """What it has stored."""
        with DagsterInstance.from_config(str(self.project / HOME)) as instance:
            yield instance

    def wait_for_ticks(self, sensor: str, count: int) -> None:
        """Waits for some more evaluations of a sensor."""
        with self.instance() as instance:
            [state] = [each for each in instance.all_instigator_state() if each.name == sensor]

            def ticks() -> int:
                return len(instance.get_ticks(state.instigator_origin_id, state.selector_id))

            before = ticks()
            eventually(lambda: ticks() >= before + count)

    def run(self, *command: str | Path) -> None:
        """Runs one of Dagster's commands beside it, in the same folder."""
        subprocess.run([DAGSTER, *command], cwd=self.project, env=environment(self.project), check=True)


def environment(project: Path) -> dict[str, str]:
    """The environment of Dagster's commands in a folder."""
    return {
        "PATH": os.defpath,
        "HOME": str(project),
        "DAGSTER_HOME": str(project / HOME),
        "DLT_PROJECT_DIR": str(project),
        "CRM_DATA_DIR": str(project / "data"),
        "PYTHONPATH": str(CHECKOUT),
    }


@contextmanager
def dagster_dev(project: Path) -> Iterator[DagsterDev]:
    """Runs it until the body ends. What it logs goes to `dagster_dev.log` in the folder.

    Raises:
        RuntimeError: It ended before it answered.
    """
    home = project / HOME
    home.mkdir(exist_ok=True)
    for file, place in (("dagster.yaml", home), ("workspace.yaml", project), ("pyproject.toml", project)):
        shutil.copy(CHECKOUT / file, place)
    variables = environment(project)
    subprocess.run([DAGSTER, "instance", "info"], cwd=project, env=variables, check=True, stdout=subprocess.DEVNULL)
    port = free_port()
    url = f"http://{HOST}:{port}"
    with (project / "dagster_dev.log").open("wb") as log:
        process = subprocess.Popen(
            [DAGSTER, "dev", "--port", str(port)],
            cwd=project,
            env=variables,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def answers() -> bool:
        if process.poll() is not None:
            log = (project / "dagster_dev.log").read_text(encoding="utf-8")
            raise RuntimeError(f"dagster dev ended with {process.returncode}:\n{log[-3000:]}")
        return requests.get(f"{url}/server_info", timeout=10).ok

    try:
        eventually(answers, patience=120)
        yield DagsterDev(url, project)
    finally:
        _stop(process)


def wait_for_run(dev: DagsterDev, run_id: str) -> DagsterRunStatus:
    """Waits for the end of a run: how it has ended."""
    with dev.instance() as instance:

        def ended() -> DagsterRunStatus | None:
            run = instance.get_run_by_id(run_id)
            assert run is not None
            return run.status if run.is_finished else None

        status = eventually(ended)
        assert status is not None
        return status


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends it as Ctrl-C does, then whatever it has left behind."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        with suppress(subprocess.TimeoutExpired):  # on a busy machine Dagster can miss the signal
            process.wait(timeout=60)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        process.wait()
