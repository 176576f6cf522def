"""Records are erased for good: from every table and file, and from all that is read later."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crm_assets.__main__ import main
from crm_assets.privacy.applying import rebuild
from crm_assets.runner.builds import build
from crm_assets.runner.loading import load_models
from crm_assets_tests.assets.raw_runs import configured_crm, materialize, rows
from crm_assets_tests.commands.terminals import terminal
from crm_assets_tests.data_dirs import connected
from crm_assets_tests.marked_records import UPDATED, Marks, found_in_files
from crm_assets_tests.runner.model_project import ModelProject
from crm_assets_tests.scripted_crm import ScriptedCrm

MODELS = load_models()


def contact(id_: Any, mark: str) -> dict[str, Any]:
    return {"id": id_, "display_name": mark, "email": mark, "updated_at": UPDATED, "Email": mark}


def forget(*arguments: str) -> int:
    return command(*arguments, "--yes")


def command(*arguments: str) -> int:
    return main(["forget", *arguments])


@pytest.fixture
def crm() -> Iterator[ScriptedCrm]:
    """A CRM with contacts 1 and 2, of whom 2 is listed with an unusable id as well."""
    with configured_crm(lists={"contacts": [contact(1, "a"), contact(2, "b"), contact("02", "c")]}) as scripted:
        yield scripted


@pytest.fixture
def stored(crm: ScriptedCrm, data_dir: Path) -> Path:
    """A database with the contacts of the CRM."""
    assert crm.lists["contacts"]
    assert materialize("contacts").success
    return data_dir / "crm.duckdb"


COUNTS = """
select
    (select count(*) from raw.contacts),
    (select count(*) from raw.rejected_records)
"""


def test_dry_run_shows_what_would_be_erased_and_erases_nothing(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows(stored, COUNTS)

    assert command("contacts", "2", "999999999", "--dry-run") == 0

    assert capsys.readouterr().out.splitlines() == [
        "contacts: 1 of 2 records are stored",
        "raw.contacts: 1 rows",
        "raw.rejected_records: 1 rows",
        "Not stored, but will be skipped when the CRM lists them: 999999999. Are they right?",
        "Nothing was erased",
    ]
    assert rows(stored, COUNTS) == before
    assert rows(stored, "select count(*) from duckdb_tables() where table_name = 'forgotten'") == [(0,)]


@pytest.mark.parametrize(("typed", "left"), [("y", 1), ("YES", 1), ("n", 2), ("", 2), ("2", 2)])
def test_forget_asks_in_a_terminal(monkeypatch: pytest.MonkeyPatch, stored: Path, typed: str, left: int) -> None:
    with terminal(monkeypatch, typed):
        assert command("contacts", "2") == 0

    assert rows(stored, "select count(*) from raw.contacts") == [(left,)]


def test_forget_without_a_terminal_names_the_option(
    monkeypatch: pytest.MonkeyPatch, stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path(os.devnull).open(encoding="utf-8") as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        assert command("contacts", "2") == 1

    assert "add --yes" in capsys.readouterr().err
    assert rows(stored, "select count(*) from raw.contacts") == [(2,)]


@pytest.mark.usefixtures("stored")
def test_the_list_has_counts_and_times_of_forgotten_ids(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--list") == 0
    assert capsys.readouterr().out == "No id is forgotten\n"
    assert forget("contacts", "2", "999999999") == 0
    capsys.readouterr()

    assert command("--list") == 0

    shown = capsys.readouterr().out
    assert "UTC  contacts: 2 ids, 1 were stored" in shown
    assert "999999999" not in shown


def test_only_an_id_that_was_never_stored_can_be_undone(
    crm: ScriptedCrm, stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert forget("contacts", "2", "3", "4") == 0

    assert command("contacts", "2", "3", "--undo") == 1
    assert "were erased, so they stay forgotten: 2." in capsys.readouterr().err
    assert command("contacts", "3", "5", "--undo") == 0
    assert "1 of 2 ids were forgotten" in capsys.readouterr().out

    crm.lists["contacts"] = [contact(id_, "a") for id_ in (1, 2, 3, 4)]
    assert materialize("contacts").success
    assert rows(stored, "select id from raw.contacts order by id") == [(1,), (3,)]


def test_forget_without_ids_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("contacts") == 1
    assert "at least one id" in capsys.readouterr().err


def load_marked(marks: Marks) -> list[Any]:
    """Contacts 1 to 3, of whom 2 also came in ways that cannot be loaded."""
    return [
        contact(1, "stays"),
        {**contact(2, marks.new()), **everywhere(marks)},
        contact(3, "stays, too"),
        [{**contact(2, marks.new()), **everywhere(marks)}],
        contact("2.0x", "rejected, and stays"),
        {**contact("02", marks.new()), **everywhere(marks)},
    ]


def everywhere(marks: Marks) -> dict[str, Any]:
    """A mark in a column of each kind, declared or not, in texts, keys and variants."""
    new = marks.new
    declared = {"custom_field": {new(): [new()]}, "lead_score": new(), "tags": [new()], "last_seen": [new()]}
    return {**declared, "cf_note": new(), "nested": [[{new(): new()}]], "encoded": json.dumps(json.dumps({new(): 1}))}


def build_models(database: Path) -> None:
    with connected(database, read_only=False) as connection:
        rebuild(connection, MODELS, [model.address for model in MODELS], print)


def read_again(mode: str) -> dict[str, Any]:
    run = materialize("contacts", mode=mode)
    assert run.success
    return run.metadata("contacts")


@pytest.mark.slow
def test_forgotten_record_leaves_nothing_and_stays_away(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marks, database = Marks(), data_dir / "crm.duckdb"
    with configured_crm(lists={"contacts": load_marked(marks), "open_tasks": []}) as crm:
        assert materialize("contacts").success
        build_models(database)
        assert found_in_files(marks.made, data_dir) == set(marks.made)

        assert forget("contacts", "2", "99") == 0

        assert "1 of 2 records are stored" in capsys.readouterr().out
        assert found_in_files(marks.made, data_dir) == set()
        assert rows(database, "select id from raw.contacts order by id") == [(1,), (3,)]
        assert rows(database, "select count(*) from marts.contact_engagement") == [(2,)]
        assert rows(data_dir / "crm.published.duckdb", "select count(*) from marts.contact_engagement") == [(2,)]

        crm.lists["contacts"] = crm.lists["contacts"][:3]
        metadata = read_again("full")
        assert (metadata["crm/complete"], metadata["crm/rows_forgotten"]) == (True, 1)
        read_again("incremental")
        assert found_in_files(marks.made, data_dir) == set()
        assert rows(database, "select id from raw.contacts order by id") == [(1,), (3,)]


@pytest.mark.slow
def test_history_of_a_forgotten_record_is_forgotten_alone(data_dir: Path) -> None:
    database = data_dir / "crm.duckdb"
    deals = [{"id": id_, "owner_id": 7, "updated_at": UPDATED} for id_ in (1, 2)]
    with configured_crm(lists={"won_deals": deals}):
        assert materialize("won_deals").success
        build_models(database)
        history = "select deal_id, dbt_scd_id, dbt_valid_from from snapshots.won_deals_history order by deal_id"
        [kept, _] = rows(database, history)

        assert forget("won_deals", "2") == 0

    assert rows(database, history) == [kept]
    assert rows(database, "select deal_id from marts.won_deal_changes") == [(1,)]


@pytest.mark.parametrize(("key", "named"), [("account", True), ("contact_id", False)])
def test_tables_without_the_ids_of_records_are_named(
    stored: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    key: str,
    named: bool,
) -> None:
    project = ModelProject(tmp_path / "models")
    project.write("staging/stg_people.sql", "select id, email, 1 as account from {{ source('present', 'contacts') }}")
    project.write(
        "marts/people.sql",
        "{{ config(materialized='incremental', unique_key='" + key + "') }}\n"
        "select id as contact_id, account, email from {{ ref('stg_people') }} where id = 1",
    )
    monkeypatch.setattr("crm_assets.commands.forget.load_models", lambda: load_models(project.folder))
    with connected(stored, read_only=False) as connection:
        for model in project.models().values():
            build(connection, model)

    assert command("contacts", "1", "--dry-run") == 0

    assert ("marts.people keeps rows of earlier builds" in capsys.readouterr().out) == named


def test_forgotten_record_still_listed_makes_no_check_warn(data_dir: Path) -> None:
    with configured_crm(lists={"contacts": [contact(1, "a"), contact(2, "b")]}):
        assert materialize("contacts").success
        assert forget("contacts", "2") == 0
        run = materialize("contacts")
        checks = {e.check_name: e.passed for e in run.result.get_asset_check_evaluations()}
        assert checks["complete_read"]
        assert checks["rows_match_source"]
    assert rows(data_dir / "crm.duckdb", "select count(*) from raw.contacts") == [(1,)]


@pytest.mark.slow
def test_a_rejected_record_with_a_forgotten_id_is_only_counted(data_dir: Path) -> None:
    marks = Marks()
    with configured_crm(lists={"contacts": [contact(1, "a")]}) as crm:
        assert materialize("contacts").success
        assert forget("contacts", "2") == 0
        crm.lists["contacts"] += [[contact(2, marks.new())], contact("02", marks.new())]
        assert materialize("contacts").success
    assert found_in_files(marks.made, data_dir) == set()
    assert rows(data_dir / "crm.duckdb", "select record::varchar from raw.rejected_records") == [("null",)] * 2


@pytest.mark.slow
def test_side_loaded_records_are_forgotten_as_well(data_dir: Path) -> None:
    marks = Marks()
    with configured_crm(lists={"won_deals": [{"id": 1, "updated_at": UPDATED}]}) as crm:
        crm.side_loaded = {"contacts": [contact(2, marks.new()), contact(3, "stays")]}
        assert materialize("won_deals").success
        assert forget("contacts", "2") == 0
        assert materialize("won_deals").success
    assert found_in_files(marks.made, data_dir) == set()
    assert rows(data_dir / "crm.duckdb", "select id from raw.side_loaded") == [(3,)]


def test_ids_are_kept_as_salted_hashes_once(data_dir: Path) -> None:
    with configured_crm(lists={"contacts": [contact(123456789, "a")]}):
        assert materialize("contacts").success
        assert forget("contacts", "123456789") == 0
        assert forget("contacts", "123456789") == 0
    [(resource, hashed, salt)] = rows(data_dir / "crm.duckdb", "select resource, id_hash, salt from raw.forgotten")
    assert (resource, len(hashed), len(salt)) == ("contacts", 64, 64)


@pytest.mark.slow
def test_record_forgotten_during_a_read_is_not_loaded(data_dir: Path) -> None:
    with configured_crm(lists={"contacts": [contact(1, "a"), contact(2, "b")]}) as crm:
        assert materialize("contacts").success
        waiting = [forget]

        def forgets_once(_: object) -> None:
            if waiting:
                waiting.pop()("contacts", "2")

        crm.before_page = forgets_once
        run = materialize("contacts")
        assert run.success
        assert run.attempts("contacts") == 2
    assert rows(data_dir / "crm.duckdb", "select id from raw.contacts") == [(1,)]


def test_unknown_resource_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        forget("people", "1")
    assert "past_appointments" in capsys.readouterr().err


@pytest.mark.parametrize("id_", ["1_0", "\uff15", "007", "+7", str(2**63), "9" * 50, "seven"])
def test_an_id_that_no_record_has_is_refused(id_: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        forget("contacts", "1", id_)
    assert f"{id_!r} is not a 64-bit integer" in capsys.readouterr().err


def test_forget_without_a_database_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert forget("contacts", "1") == 1
    assert " yet" in capsys.readouterr().err
