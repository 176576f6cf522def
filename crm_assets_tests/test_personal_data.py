"""Personal data that are not to be kept are in no file of the data directory or of Dagster's, whatever was sent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crm_assets_tests.assets.raw_runs import configured_crm, rows
from crm_assets_tests.marked_records import Marks, found_in_files, marked_lists, personal_settings
from crm_assets_tests.scripted_crm import ScriptedCrm

pytestmark = pytest.mark.slow


def sync(crm: ScriptedCrm, dagster_home: Path, policy: str, *selected: str) -> str:
    """Materializes assets as a user does, everything if none are named, and returns what the terminal shows."""
    dagster_home.mkdir(exist_ok=True)
    command = ["dagster", "asset", "materialize", "-m", "crm_assets.definitions", "--select"]
    run = subprocess.run(
        [sys.executable, "-m", *command, " or ".join(selected) or "*"],
        env={**os.environ, **crm.settings(), **personal_settings(policy), "DAGSTER_HOME": str(dagster_home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout + run.stderr


@pytest.mark.parametrize("policy", ["leave_out", "hash"])
def test_no_marked_value_reaches_the_disk(data_dir: Path, tmp_path: Path, policy: str) -> None:
    marks = Marks()
    with configured_crm(lists=marked_lists(marks)) as crm:
        told = sync(crm, tmp_path / "home", policy)
    assert len(marks.made) > 100
    assert found_in_files(marks.made, data_dir, tmp_path / "home") == set()
    assert [mark for mark in marks.made if mark in told] == []
    assert rows(data_dir / "crm.duckdb", "select count(*) from raw.contacts") == [(9,)]
    assert rows(data_dir / "crm.duckdb", "select count(*) > 0 from raw.dropped_fields where field = 'nickname'") == [
        (True,)
    ]


def test_the_search_finds_what_is_kept(data_dir: Path, tmp_path: Path) -> None:
    marks = Marks()
    with configured_crm(lists=marked_lists(marks)) as crm:
        sync(crm, tmp_path / "home", "keep", "key:raw/contacts")
    assert len(found_in_files(marks.made, data_dir)) > 30
