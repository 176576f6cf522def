"""Forgotten records are erased for good: from every table and file, and from all that is read later."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from crm_assets.privacy.forgetting import forget as erase_rows
from crm_assets_tests.assets.raw_runs import apply_policy, build_models, forget, materialize, rows
from crm_assets_tests.data_dirs import connected
from crm_assets_tests.marked_records import UPDATED, Marks, found_in_files, marked_contact
from crm_assets_tests.scripted_crm import configured_crm, once_before

pytestmark = pytest.mark.long


def load_marked(marks: Marks) -> list[Any]:
    """Contacts 1 to 3, of whom 2 also came in ways that cannot be loaded."""
    return [
        marked_contact(1, "stays"),
        {**marked_contact(2, marks.new()), **everywhere(marks)},
        marked_contact(3, "stays, too"),
        [{**marked_contact(2, marks.new()), **everywhere(marks)}],
        marked_contact("2.0x", "rejected, and stays"),
        {**marked_contact("02", marks.new()), **everywhere(marks)},
    ]


def everywhere(marks: Marks) -> dict[str, Any]:
    """A mark in a column of each kind, declared or not, in texts, keys and variants."""
    new = marks.new
    declared = {"custom_field": {new(): [new()]}, "lead_score": new(), "tags": [new()], "last_seen": [new()]}
    return {**declared, "cf_note": new(), "nested": [[{new(): new()}]], "encoded": json.dumps(json.dumps({new(): 1}))}


def test_forgotten_record_leaves_nothing_and_stays_away(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marks = Marks()
    with configured_crm(lists={"contacts": load_marked(marks), "open_tasks": []}) as crm:
        assert materialize("contacts").success
        build_models()
        assert found_in_files(marks.made, data_dir) == set(marks.made)

        assert forget("contacts", "2", "99") == 0

        assert "1 of 2 records stored" in capsys.readouterr().out
        assert found_in_files(marks.made, data_dir) == set()
        assert rows("select id from raw.contacts order by id") == [(1,), (3,)]
        assert rows("select count(*) from marts.contact_engagement") == [(2,)]
        assert rows("select contacts from marts.pipeline_health_daily") == [(2,)]
        if (data_dir / "crm.duckdb").exists():  # a lake has no published copy
            assert rows("select count(*) from marts.contact_engagement", data_dir / "crm.published.duckdb") == [(2,)]

        crm.lists["contacts"] = crm.lists["contacts"][:3]
        full, incremental = (materialize("contacts", mode=mode) for mode in ("full", "incremental"))
        metadata = full.metadata("contacts")
        assert (metadata["crm/complete"], metadata["crm/rows_forgotten"]) == (True, 1)
        assert incremental.success
        assert found_in_files(marks.made, data_dir) == set()
        assert rows("select id from raw.contacts order by id") == [(1,), (3,)]


def test_stopped_forgetting_is_finished_by_the_other_command() -> None:
    with configured_crm(lists={"contacts": [marked_contact(1, "stays"), marked_contact(2, "")]}):
        assert materialize("contacts").success
        build_models()
        with connected(read_only=False) as connection:  # as if it had been stopped after its first commit
            erase_rows(connection, "contacts", [2], {}, ["marts.contact_engagement"])

        apply_policy()

    assert rows("select count(*) from marts.contact_engagement") == [(1,)]
    assert rows("select contacts from marts.pipeline_health_daily") == [(1,)]


@pytest.mark.file
def test_unfinished_copy_of_a_killed_process_is_erased(data_dir: Path) -> None:
    marks = Marks()
    with configured_crm(lists={"contacts": [marked_contact(1, marks.new())]}):
        assert materialize("contacts").success
        shutil.copy(data_dir / "crm.duckdb", data_dir / "crm.published.unfinished")

        assert forget("contacts", "1") == 0

    assert found_in_files(marks.made, data_dir) == set()


@pytest.mark.file
@pytest.mark.parametrize("linked", ["crm.duckdb", "crm.published.duckdb"])
def test_file_behind_a_link_is_erased(data_dir: Path, tmp_path: Path, linked: str) -> None:
    marks, elsewhere = Marks(), tmp_path / "another disk"
    elsewhere.mkdir()
    with configured_crm(lists={"contacts": [marked_contact(1, marks.new())]}):
        assert materialize("contacts").success
        shutil.copy(data_dir / "crm.duckdb", data_dir / "crm.published.duckdb")
        shutil.move(data_dir / linked, elsewhere / linked)
        (data_dir / linked).symlink_to(elsewhere / linked)

        assert forget("contacts", "1") == 0

    assert (data_dir / linked).is_symlink()
    assert found_in_files(marks.made, data_dir, elsewhere) == set()


@pytest.mark.file
@pytest.mark.usefixtures("lake_extensions")
def test_catalog_that_is_a_file_is_erased(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks, catalog = Marks(), tmp_path / "lake" / "crm.ducklake"
    catalog.parent.mkdir()
    monkeypatch.setenv("CRM_WAREHOUSE", f"ducklake:{catalog}")
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(tmp_path / "files"))
    with configured_crm(lists={"contacts": [marked_contact(1, marks.new()), marked_contact(2, "stays")]}):
        assert materialize("contacts").success
        assert found_in_files(marks.made, catalog.parent) == set(marks.made)

        assert forget("contacts", "1") == 0

        assert found_in_files(marks.made, data_dir, catalog.parent, tmp_path / "files") == set()
        assert materialize("contacts").metadata("contacts")["dagster/row_count"] == 1


def test_history_of_a_forgotten_record_is_forgotten_alone() -> None:
    deals = [{"id": id_, "owner_id": 7, "updated_at": UPDATED} for id_ in (1, 2)]
    with configured_crm(lists={"won_deals": deals}):
        assert materialize("won_deals").success
        build_models()
        history = "select deal_id, dbt_scd_id, dbt_valid_from from snapshots.won_deals_history order by deal_id"
        [kept, _] = rows(history)

        assert forget("won_deals", "2") == 0

    assert rows(history) == [kept]
    assert rows("select deal_id from marts.won_deal_changes") == [(1,)]


def test_forgotten_record_still_listed_makes_no_check_warn() -> None:
    with configured_crm(lists={"contacts": [marked_contact(1, "a"), marked_contact(2, "b")]}):
        assert materialize("contacts").success
        assert forget("contacts", "2") == 0
        run = materialize("contacts")
        checks = {e.check_name: e.passed for e in run.result.get_asset_check_evaluations()}
        assert checks["complete_read"]
        assert checks["rows_match_source"]
    assert rows("select count(*) from raw.contacts") == [(1,)]


def test_a_rejected_record_with_a_forgotten_id_is_only_counted(data_dir: Path) -> None:
    marks = Marks()
    with configured_crm(lists={"contacts": [marked_contact(1, "a")]}) as crm:
        assert materialize("contacts").success
        assert forget("contacts", "2") == 0
        crm.lists["contacts"] += [[marked_contact(2, marks.new())], marked_contact("02", marks.new())]
        assert materialize("contacts").success
    assert found_in_files(marks.made, data_dir) == set()
    assert rows("select record::varchar from raw.rejected_records") == [("null",)] * 2


def test_side_loaded_records_are_forgotten_as_well(data_dir: Path) -> None:
    marks = Marks()
    with configured_crm(lists={"won_deals": [{"id": 1, "updated_at": UPDATED}]}) as crm:
        crm.side_loaded = {"contacts": [marked_contact(2, marks.new()), marked_contact(3, "stays")]}
        assert materialize("won_deals").success
        assert forget("contacts", "2") == 0
        assert materialize("won_deals").success
    assert found_in_files(marks.made, data_dir) == set()
    assert rows("select id from raw.side_loaded") == [(3,)]


def test_record_forgotten_during_a_read_is_not_loaded() -> None:
    with configured_crm(lists={"contacts": [marked_contact(1, "a"), marked_contact(2, "b")]}) as crm:
        assert materialize("contacts").success
        crm.before_page = once_before(1, lambda: forget("contacts", "2"))
        run = materialize("contacts")
        assert run.success
        assert run.attempts("contacts") == 2
    assert rows("select id from raw.contacts") == [(1,)]
