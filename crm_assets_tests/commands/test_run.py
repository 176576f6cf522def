"""`crm-assets run`: the UI shows the run as one of the code location."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import pytest
from dagster import AssetKey, DagsterInstance, DagsterRunStatus, RunsFilter

from crm_assets.__main__ import INTERRUPTED, main
from crm_assets_tests.scripted_crm import configured_crm


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "job"), [("crm_check", "crm_check"), ("raw/accounts", "__ASSET_JOB")], ids=["job", "asset"]
)
def test_run_has_the_origin_by_which_the_ui_finds_it(
    name: str, job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with configured_crm(lists={"accounts": [{"id": 1}]}):
        main(["run", name])
    with DagsterInstance.from_config(str(home)) as instance:
        [run] = instance.get_runs(RunsFilter(tags={".dagster/repository": "__repository__@crm_assets"}))
        made = instance.get_latest_materialization_events([AssetKey(["raw", "accounts"])])
    assert run.job_name == job
    assert run.status in {DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE}
    assert run.remote_job_origin is not None
    assert run.remote_job_origin.location_name == "crm_assets"
    assert [event.run_id for event in made.values() if event] == [run.run_id] * ("raw/" in name)


@pytest.mark.slow
def test_run_that_is_interrupted_before_it_starts_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setattr("crm_assets.dagster_internals.execute_run", Mock(side_effect=KeyboardInterrupt))
    assert main(["run", "crm_check"]) == INTERRUPTED
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert [run.status for run in instance.get_runs()] == [DagsterRunStatus.CANCELED]


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["in_process", pytest.param("multiprocess", marks=pytest.mark.long)])
def test_run_that_is_interrupted_says_so_with_its_exit_code(executor: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "crm_assets", "run", "raw/accounts"]
    with configured_crm(lists={"accounts": [{"id": 1}]}, holds_back=lambda _: True) as crm:
        own = {"CRM_EXECUTOR": executor, "DAGSTER_HOME": str(tmp_path), "SOURCES__CRM__REQUEST_TIMEOUT": "2"}
        with subprocess.Popen(
            command, env={**os.environ, **own}, stderr=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            while not crm.seen and process.poll() is None:
                time.sleep(0.02)
            os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
            _, message = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, message
    assert message.rstrip().endswith("Interrupted. No table is left half written: run the command again")


@pytest.mark.long
def test_first_runs_at_the_same_time_create_the_home_together(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "crm_assets", "run", "no_such_job"]
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path)}
    started = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(6)]
    messages = [process.communicate()[1] for process in started]
    assert [line for message in messages for line in message.splitlines() if "Error" in line] == []
    assert all("There is no job and no asset" in message for message in messages)


def test_unknown_name_is_refused_with_those_of_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "crm_refresh"]) == 1
    message = capsys.readouterr().err
    assert "There is no job and no asset 'crm_refresh'" in message
    assert "crm_full_refresh, crm_incremental" in message


@pytest.mark.parametrize(
    ("name", "meant"), [("raw/accont", "raw/accounts"), ("marts.account_overviw", "marts/account_overview")]
)
def test_unknown_name_is_answered_with_similar_ones(name: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", name]) == 1
    assert f"There is no job and no asset '{name}'. Did you mean {meant}" in capsys.readouterr().err


@pytest.mark.slow
def test_an_asset_may_be_named_as_its_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with configured_crm(lists={"accounts": [{"id": 1}]}):
        assert main(["run", "raw.accounts"]) == 0
    assert "accounts: 1 record in" in capsys.readouterr().err


@pytest.mark.parametrize("home", ["relative", "missing"])
def test_wrong_home_of_dagster_is_named(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", home if home == "relative" else str(tmp_path / home))
    assert main(["run", "crm_check"]) == 1
    message = capsys.readouterr().err
    assert "$DAGSTER_HOME" in message
    assert "Traceback" not in message


@pytest.mark.parametrize("damage", [".lock", "history/runs.db"], ids=["not a file", "not a database"])
def test_storage_of_dagster_that_cannot_be_used_is_named(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / damage).mkdir(parents=True)
    assert main(["run", "crm_check"]) == 1
    message = capsys.readouterr().err
    assert message.startswith(f"Dagster's storage in $DAGSTER_HOME ({tmp_path}) cannot be used: ")
    assert "Traceback" not in message
