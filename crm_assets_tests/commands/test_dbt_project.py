"""`python -m crm_assets dbt-project`: writes a dbt project into a folder, and keeps other files."""

from pathlib import Path

import pytest
import yaml

from crm_assets.__main__ import main

FOLDER = "exported"


def test_it_works_on_the_database_in_use_in_the_reporting_time_zone(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRM_REPORTING_TIMEZONE", "Asia/Kolkata")
    assert main(["dbt-project", FOLDER]) == 0

    [output] = yaml.safe_load(Path(FOLDER, "profiles.yml").read_text())["crm"]["outputs"].values()
    assert (output["path"], output["settings"]) == (str(data_dir / "sandbox.duckdb"), {"TimeZone": "UTC"})
    assert yaml.safe_load(Path(FOLDER, "dbt_project.yml").read_text())["vars"]["reporting_timezone"] == "Asia/Kolkata"
    assert "dbt build" in capsys.readouterr().out


def test_a_folder_with_something_else_in_it_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path(FOLDER).mkdir()
    Path(FOLDER, "notes.txt").write_text("mine")

    assert main(["dbt-project", FOLDER]) == 1
    assert "is not empty and has no earlier export: use another folder" in capsys.readouterr().err
    assert [path.name for path in Path(FOLDER).iterdir()] == ["notes.txt"]


def test_an_earlier_export_is_replaced_and_other_files_stay() -> None:
    assert main(["dbt-project", FOLDER]) == 0
    stale = Path(FOLDER, "models/marts/marts.yml")
    written = stale.read_text()
    stale.unlink()
    Path(FOLDER, "target").mkdir()
    Path(FOLDER, "target/manifest.json").write_text("{}")

    assert main(["dbt-project", FOLDER]) == 0
    assert stale.read_text() == written
    assert Path(FOLDER, "target/manifest.json").exists()


def test_an_earlier_export_that_was_changed_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dbt-project", FOLDER]) == 0
    changed = Path(FOLDER, "models/marts/task_backlog.sql")
    changed.write_text("select 1 as mine")

    assert main(["dbt-project", FOLDER]) == 1
    assert "task_backlog.sql was edited since the export" in capsys.readouterr().err
    assert changed.read_text() == "select 1 as mine"


def test_a_lake_needs_a_file_to_be_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRM_WAREHOUSE", f"ducklake:{tmp_path}/catalog.ducklake")
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(tmp_path / "files"))

    assert main(["dbt-project", FOLDER]) == 1
    assert "is not a DuckDB file: set one with --database" in capsys.readouterr().err
    assert main(["dbt-project", FOLDER, "--database", "copy.duckdb"]) == 0
