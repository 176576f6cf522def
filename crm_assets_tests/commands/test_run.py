"""`crm-assets run`: the UI shows the run as one of the code location."""

from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from crm_assets.__main__ import main
from crm_assets_tests.assets.raw_runs import configured_crm


def test_run_has_the_origin_by_which_the_ui_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with configured_crm(lists={"accounts": [{"id": 1}]}):
        main(["run", "crm_check"])
    with DagsterInstance.from_config(str(home)) as instance:
        of_location = RunsFilter(job_name="crm_check", tags={".dagster/repository": "__repository__@crm_assets"})
        [run] = instance.get_runs(of_location)
    assert run.status in {DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE}
    assert run.remote_job_origin is not None
    assert run.remote_job_origin.location_name == "crm_assets"


def test_unknown_job_is_refused_with_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "crm_refresh"]) == 1
    message = capsys.readouterr().err
    assert "There is no job 'crm_refresh'" in message
    assert "crm_full_refresh, crm_incremental" in message
