"""A changed policy of personal data is applied by a command; until then reads are refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crm_assets.__main__ import main
from crm_assets.privacy.policy import set_erased
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import apply_policy, materialize, rows
from crm_assets_tests.commands.terminals import terminal
from crm_assets_tests.data_dirs import connected
from crm_assets_tests.marked_records import UPDATED, personal_settings
from crm_assets_tests.models.raw_tables import FIRST, RawTables
from crm_assets_tests.scripted_crm import ScriptedCrm, configured_crm, once_before

pytestmark = pytest.mark.slow

ADA: dict[str, Any] = {"id": 1, "email": "ada@example.com", "mood": "good", "updated_at": UPDATED}
EMAILS = "select email from raw.contacts"


@pytest.fixture
def crm() -> Iterator[ScriptedCrm]:
    """A CRM with one contact and a rejected one."""
    with configured_crm(lists={"contacts": [ADA, {"email": "bob@example.com"}]}) as scripted:
        yield scripted


@pytest.fixture
def loaded(crm: ScriptedCrm) -> ScriptedCrm:
    """The CRM, whose contact is stored under the policy keep."""
    assert materialize("contacts").success
    return crm


def configure(monkeypatch: pytest.MonkeyPatch, policy: str, **others: str) -> None:
    for name, value in personal_settings(policy, **others).items():
        monkeypatch.setenv(name, value)


def command(*arguments: str) -> int:
    return main(["apply-policy", *arguments])


def test_read_is_refused_before_any_request(loaded: ScriptedCrm, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, "hash")
    loaded.seen.clear()

    refused = materialize("contacts").failure("contacts")

    assert "Stored data follow personal_data keep, but SOURCES__CRM__PERSONAL_DATA is hash" in refused
    assert "run: crm-assets apply-policy" in refused
    assert loaded.seen == []
    assert rows(EMAILS) == [("ada@example.com",)]


@pytest.mark.usefixtures("loaded")
def test_models_are_built_from_stored_data_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, "leave_out")
    assert main(["build", "staging.stg_contacts"]) == 0
    assert rows("select email from staging.stg_contacts") == [("ada@example.com",)]


@pytest.mark.usefixtures("loaded")
def test_changes_are_shown_in_a_dry_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with connected(read_only=False) as connection:
        connection.execute("create schema marts; create table marts.mine as from raw.contacts")
    configure(monkeypatch, "leave_out")

    assert command("--dry-run") == 0

    assert capsys.readouterr().out.splitlines() == [
        "Stored data follow personal_data keep, but SOURCES__CRM__PERSONAL_DATA is leave_out",
        "raw.contacts: dropped 1 undeclared column",
        "raw.contacts: values changed in email (1)",
        "raw.rejected_records: 1 record of contacts",
        "These values, columns and tables are destroyed. Nothing can restore them",
        "Dropped, as no model makes them: marts.mine",
        "Nothing was changed",
    ]
    assert rows("select email, mood from raw.contacts") == [("ada@example.com", "good")]
    assert rows("select count(*) from marts.mine") == [(1,)]


@pytest.mark.long
@pytest.mark.usefixtures("loaded")
def test_a_copy_among_the_raw_tables_is_dropped_and_no_table_of_the_project(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "staging.stg_contacts"]) == 0
    assert main(["forget", "contacts", "7", "--yes"]) == 0
    with connected(read_only=False) as connection:
        connection.execute("create table raw.contacts_backup as from raw.contacts")
    raw = "select table_name from information_schema.tables where table_schema = 'raw' order by all"
    before = rows(raw)
    configure(monkeypatch, "leave_out")

    assert command("--yes") == 0

    assert "Dropped, as no model makes them: raw.contacts_backup\n" in capsys.readouterr().out
    assert [name for name in before if name not in rows(raw)] == [("contacts_backup",)]
    assert ("model_builds",) in before
    assert ("forgotten",) in before


@pytest.mark.long
@pytest.mark.parametrize(("typed", "email"), [("y", None), ("n", "ada@example.com")])
@pytest.mark.usefixtures("loaded")
def test_question_is_asked_in_a_terminal(monkeypatch: pytest.MonkeyPatch, typed: str, email: str | None) -> None:
    configure(monkeypatch, "leave_out")
    with terminal(monkeypatch, typed):
        assert command() == 0
    assert rows(EMAILS) == [(email,)]


@pytest.mark.long
@pytest.mark.usefixtures("loaded")
def test_read_goes_on_after_the_change(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, "hash")
    apply_policy()
    [(hashed,)] = rows(EMAILS)

    assert materialize("contacts").success
    assert rows(EMAILS) == [(hashed,)]
    assert len(hashed) == 64


@pytest.mark.long
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"personal_data_key": "another key" * 5}, "another key than the one in SOURCES__CRM__PERSONAL_DATA_KEY"),
        ({"personal_data_allowed": "mood"}, "in SOURCES__CRM__PERSONAL_DATA_ALLOWED now"),
    ],
    ids=["another key", "other fields"],
)
@pytest.mark.usefixtures("crm")
def test_change_within_a_policy_is_refused(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], reason: str
) -> None:
    configure(monkeypatch, "hash")
    assert materialize("contacts").success
    configure(monkeypatch, "hash", **changed)

    assert reason in materialize("contacts").failure("contacts")
    apply_policy()
    assert materialize("contacts").success


@pytest.mark.usefixtures("crm")
def test_first_read_follows_the_configured_policy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(monkeypatch, "leave_out")
    assert materialize("contacts").success
    assert rows(EMAILS) == [(None,)]

    assert command() == 0
    assert capsys.readouterr().out == "Stored data follow personal_data leave_out: there is nothing to change\n"


@pytest.mark.long
@pytest.mark.usefixtures("loaded")
def test_removed_values_come_back_with_the_next_full_read(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, "leave_out")
    apply_policy()
    configure(monkeypatch, "keep")
    apply_policy()
    assert materialize("contacts").success
    assert rows(EMAILS) == [("ada@example.com",)]


@pytest.mark.long
def test_read_during_a_change_is_not_loaded(loaded: ScriptedCrm, monkeypatch: pytest.MonkeyPatch) -> None:
    def change() -> None:
        configure(monkeypatch, "leave_out")
        apply_policy()

    loaded.before_page = once_before(1, change)
    run = materialize("contacts")
    assert run.success
    assert run.attempts("contacts") == 2
    assert rows(EMAILS) == [(None,)]


@pytest.mark.long
@pytest.mark.usefixtures("loaded")
def test_values_that_are_not_erased_yet_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with connected(read_only=False) as connection:
        set_erased(connection, erased=False)

    refused = materialize("contacts")
    assert "not erased from all files yet" in refused.failure("contacts")
    assert refused.attempts("contacts") == 1
    assert command("--yes") == 0
    assert "Removed values are not erased yet" in capsys.readouterr().out
    assert materialize("contacts").success


@pytest.mark.usefixtures("loaded")
def test_read_waits_for_a_command_that_is_about_to_erase(monkeypatch: pytest.MonkeyPatch) -> None:
    def erase(_: float) -> None:
        with connected(read_only=False) as connection:
            set_erased(connection, erased=True)

    with connected(read_only=False) as connection:
        set_erased(connection, erased=False)
    monkeypatch.setattr("crm_assets.assets.raw.time.sleep", erase)

    run = materialize("contacts")

    assert run.success
    assert run.attempts("contacts") == 1


@pytest.mark.file
def test_sandbox_has_a_policy_of_its_own(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with connected(data_dir / "sandbox.duckdb", read_only=False) as connection:
        tables = RawTables(connection)
        tables.add("contacts", 1, email="a@b.c")
        tables.log("contacts", FIRST)
    configure(monkeypatch, "leave_out")
    apply_policy()
    assert Warehouse().name.endswith("sandbox.duckdb")
    assert rows(EMAILS, data_dir / "sandbox.duckdb") == [(None,)]
