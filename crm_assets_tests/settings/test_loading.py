"""The code location loads with any settings, and shows wrong ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CODE = """
from crm_assets.definitions import defs
for schedule in defs.schedules:
    print(schedule.execution_timezone, schedule.description)
"""


def loaded(folder: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Loads the definitions in a process of their own, as they are made once in each."""
    return subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=folder,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


def test_files_that_cannot_be_read_do_not_keep_it_from_loading(tmp_path: Path) -> None:
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".env").write_text("this is no setting\n", encoding="utf-8")
    (tmp_path / ".dlt" / "config.toml").write_text("[sources.crm\n", encoding="utf-8")
    (tmp_path / ".dlt" / "secrets.toml").write_bytes(b"\xff\xfe")
    assert loaded(tmp_path).stdout.startswith("UTC ")


def test_wrong_settings_are_logged_and_shown_with_schedules(tmp_path: Path) -> None:
    done = loaded(tmp_path, CRM_SCHEDULE_TIMEZONE="Nowhere/Bad", CRM_EXECUTOR="threads", CRM_LAEK="ducklake:crm")
    for words in ("'Nowhere/Bad', which is not allowed", "'threads', which is not allowed", "Unknown setting CRM_LAEK"):
        assert words in done.stderr
    for line in done.stdout.splitlines():
        assert line.startswith("UTC ")
        assert "CRM_SCHEDULE_TIMEZONE" in line
