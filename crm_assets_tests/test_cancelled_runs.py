"""A run that somebody cancels ends soon, whichever executor it has, and leaves nothing to mend."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, DagsterRunStatus

from crm_assets.api import ENDPOINTS
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.scripted_crm import scripted_crm
from crm_assets_tests.waiting import eventually

pytestmark = pytest.mark.slow

DAGSTER = Path(sys.executable).with_name("dagster")
UPDATED = "2026-01-01T00:00:00Z"


COMMANDS = {
    "in_process": ("asset", "materialize", "--select", "group:raw"),
    "multiprocess": ("job", "execute", "-j", "crm_full_refresh"),
}
"""Executor -> a command that uses it."""


def started(*arguments: str, tmp_path: Path, settings: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
    """Starts a dagster command in an empty folder, with nothing in the environment but what is given."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    environment = {
        "PATH": os.defpath,
        "HOME": str(home),
        "DAGSTER_HOME": str(home),
        "CRM_DATA_DIR": str(tmp_path / "data"),
        "DLT_PROJECT_DIR": os.environ["DLT_PROJECT_DIR"],
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "DAGSTER_MULTIPROCESS_EXECUTOR_MAX_CONCURRENT": "1",
    }
    return subprocess.Popen(
        [str(DAGSTER), *arguments, "-m", "crm_assets.definitions"],
        cwd=home,
        env=environment | dict(settings or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def one_each() -> dict[str, list[Any]]:
    return {resource: [{"id": 1, "updated_at": UPDATED}] for resource in ENDPOINTS}


@pytest.mark.parametrize("executor", ["in_process", pytest.param("multiprocess", marks=pytest.mark.long)])
def test_a_cancelled_run_ends_soon_and_leaves_nothing_to_mend(
    executor: str, tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_crm(lists=one_each()) as crm:
        # A process lasts as long as its last request.
        settings = crm.settings() | {"SOURCES__CRM__REQUEST_TIMEOUT": "2"}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        assert materialize("accounts").success
        crm.lists["accounts"] = [{"id": id_, "updated_at": UPDATED} for id_ in (1, 2)]
        crm.seen.clear()
        crm.holds_back = lambda _: True
        with started(*COMMANDS[executor], tmp_path=tmp_path, settings=settings | {"CRM_EXECUTOR": executor}) as process:
            eventually(lambda: crm.seen or process.poll() is not None, pause=0.02)
            with DagsterInstance.from_config(str(tmp_path / "home")) as instance:
                # As Dagster's UI does it: the wish is noted, then the process gets a signal.
                [run] = instance.get_runs()
                instance.report_run_canceling(run)
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=60)
                [run] = instance.get_runs()
        assert (process.returncode != 0, run.status) == (True, DagsterRunStatus.CANCELED)
        assert eventually(lambda: is_gone(process), patience=60)
        assert list((data_dir / "pipelines").iterdir()) == []
        with Warehouse(lock_wait=0).get_connection() as connection:
            assert connection.execute("select id from raw.accounts").fetchall() == [(1,)]
        crm.holds_back = None
        assert materialize("accounts").success
    assert rows("select count(*) from raw.accounts") == [(2,)]


def is_gone(process: "subprocess.Popen[str]") -> bool:
    """Whether nothing is left of a command that has ended."""
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return True
    return False
