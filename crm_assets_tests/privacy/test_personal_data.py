"""Personal data that are not to be kept are in no file of the data directory or of Dagster's, whatever was sent."""

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance

from crm_assets.api import ENDPOINTS
from crm_assets.definitions import defs
from crm_assets_tests.assets.raw_runs import build_models, rows
from crm_assets_tests.data_dirs import connected
from crm_assets_tests.marked_records import (
    UPDATED,
    Marks,
    found_in_files,
    marked_lists,
    marked_side_loads,
    personal_settings,
)
from crm_assets_tests.processes import completed
from crm_assets_tests.scripted_crm import ScriptedCrm, configured_crm, failing, json_response

pytestmark = pytest.mark.long


def by_command(crm: ScriptedCrm, dagster_home: Path, policy: str) -> str:
    """Materializes everything as a user does, and returns what the terminal shows."""
    dagster_home.mkdir()
    everything = "dagster asset materialize -m crm_assets.definitions --select *"
    return shown_by(everything, {**crm.settings(), **personal_settings(policy), "DAGSTER_HOME": str(dagster_home)})


def change_policy(crm: ScriptedCrm, policy: str) -> str:
    """Gives stored data a policy, and returns what the terminal shows."""
    return shown_by("crm_assets apply-policy --yes", {**crm.settings(), **personal_settings(policy)})


def shown_by(module: str, settings: Mapping[str, str]) -> str:
    """What a terminal shows of a module that runs with arguments."""
    command, environment = [sys.executable, "-m", *module.split()], {**os.environ, **settings}
    run = completed(command, env=environment)
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout + run.stderr


def sync(dagster_home: Path, policy: str, *resources: str) -> str:
    """Materializes raw assets in this process, and returns the run's log."""
    dagster_home.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as monkeypatch, DagsterInstance.local_temp(str(dagster_home)) as instance:
        for name, value in personal_settings(policy).items():
            monkeypatch.setenv(name, value)
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=[AssetKey(["raw", resource]) for resource in resources], instance=instance
        )
        assert result.success
        return "\n".join(entry.user_message for entry in instance.all_logs(result.run_id))


@pytest.mark.parametrize("policy", ["leave_out", "hash"])
def test_no_marked_value_reaches_the_disk(data_dir: Path, tmp_path: Path, policy: str) -> None:
    marks = Marks()
    lists = marked_lists(marks)
    lists["contacts"].append({"id": 90, "updated_at": UPDATED, f"{marks.new()}@example.com": 1})
    with configured_crm(lists=lists, side_loaded=marked_side_loads(marks)) as crm:
        busy = json_response({"message": f"Busy with {marks.new()}", marks.new(): [{"id": 1}]}, 503)
        crm.faults.append(failing("won_deals", page=1, answers=[busy]))
        output = by_command(crm, tmp_path / "home", policy)
    assert len(marks.made) > 121
    assert found_in_files(marks.made, data_dir, tmp_path / "home") == set()
    assert [mark for mark in marks.made if mark in output] == []
    assert rows("select count(*) from raw.contacts") == [(14,)]
    assert rows("select count(*) > 0 from raw.dropped_fields where field = 'nickname'") == [(True,)]


@pytest.mark.file
def test_dagster_keeps_no_marked_value_even_if_the_tables_do(data_dir: Path, tmp_path: Path) -> None:
    marks = Marks()
    lists = marked_lists(marks)
    # A failing row of many a data test, with a value of each column that they show.
    lists["open_tasks"].append({"id": 90, "updated_at": UPDATED, "status": marks.new(), "title": marks.new()})
    with configured_crm(lists=lists, side_loaded=marked_side_loads(marks)) as crm:
        by_command(crm, tmp_path / "home", "keep")
    assert len(found_in_files(marks.made, data_dir)) > 100
    assert found_in_files(marks.made, tmp_path / "home") == set()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("keep", "leave_out"),
        pytest.param("keep", "hash", marks=pytest.mark.file),
        ("hash", "leave_out"),
    ],
)
def test_changed_policy_leaves_no_stored_value(data_dir: Path, tmp_path: Path, before: str, after: str) -> None:
    marks = Marks()
    with configured_crm(lists=marked_lists(marks), side_loaded=marked_side_loads(marks)) as crm:
        sync(tmp_path / "home", before, *ENDPOINTS)
        build_models()
        report, copies = data_dir / "reports" / "sales_review.html", ".ipynb_checkpoints"  # as Jupyter makes
        (report.with_suffix("") / copies).mkdir(parents=True)
        for file in (report, report.with_suffix("") / copies / "owners.csv"):
            file.write_text(marks.made[0])
        kept = personal_texts()
        crm.lists = {"open_tasks": []}
        shown = change_policy(crm, after)
        output = shown + sync(tmp_path / "home", after, "open_tasks")
    marks.made += kept
    assert found_in_files(marks.made, data_dir, tmp_path / "home") == set()
    assert [mark for mark in marks.made if mark in output] == []
    assert f"Stored data follow personal_data {before}, but SOURCES__CRM__PERSONAL_DATA is {after}" in shown
    database = data_dir / "crm.duckdb"
    assert rows("select count(*), count(email) from raw.contacts") == [(13, 0 if after == "leave_out" else 3)]
    assert rows("select count(*) from marts.contact_engagement") == [(13,)]
    if database.exists():  # a lake has no published copy
        assert rows("select count(*) from marts.contact_engagement", data_dir / "crm.published.duckdb") == [(13,)]
    dated = "select count(*) > 0, count(*) = count(dbt_valid_from) from snapshots.accounts_history"
    assert rows(dated) == [(True, True)]
    assert [path for path in data_dir.glob("*.duckdb") if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_a_table_that_no_model_makes_is_dropped_and_named(data_dir: Path, tmp_path: Path) -> None:
    marks = Marks()
    with configured_crm(lists=marked_lists(marks)) as crm:
        sync(tmp_path / "home", "keep", "contacts")
        with connected(read_only=False) as connection:
            connection.execute("create schema analysis; create table analysis.mine as from raw.contacts")
        output = change_policy(crm, "leave_out")
    assert "Dropped, as no model makes them: analysis.mine" in output
    assert found_in_files(marks.made, data_dir) == set()


def personal_texts() -> list[str]:
    """What the personal columns of contacts hold under an earlier policy: hashes are personal data as well."""
    found = rows("select email, display_name, first_name from raw.contacts")
    return [text for row in found for text in row if text is not None and len(text) > 30]
