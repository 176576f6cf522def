"""The command that forgets records: it shows, asks, lists, and undoes what can be undone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_assets.__main__ import INTERRUPTED, main
from crm_assets.runner.builds import build
from crm_assets.runner.loading import load_models
from crm_assets_tests.assets.raw_runs import forget, materialize, rows
from crm_assets_tests.commands.terminals import terminal
from crm_assets_tests.data_dirs import connected
from crm_assets_tests.marked_records import marked_contact
from crm_assets_tests.runner.model_project import ModelProject
from crm_assets_tests.scripted_crm import ScriptedCrm, configured_crm


def command(*arguments: str) -> int:
    return main(["forget", *arguments])


@pytest.fixture
def crm() -> Iterator[ScriptedCrm]:
    """A CRM whose contacts 1 and 2 are stored; 2 is listed with an unusable id as well."""
    listed = [marked_contact(id_, mark) for id_, mark in ((1, "a"), (2, "b"), ("02", "c"))]
    with configured_crm(lists={"contacts": listed}) as scripted:
        assert materialize("contacts").success
        yield scripted


@pytest.fixture
def project(crm: ScriptedCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelProject:  # noqa: ARG001
    """A folder for models, which the command knows instead of the project's own."""
    project = ModelProject(tmp_path / "models")
    monkeypatch.setattr("crm_assets.commands.privacy.load_models", lambda: load_models(project.folder))
    return project


COUNTS = """
select
    (select count(*) from raw.contacts),
    (select count(*) from raw.rejected_records)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("crm")
def test_dry_run_shows_what_would_be_erased_and_erases_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = rows(COUNTS)

    assert command("contacts", "2", "999999999", "--dry-run") == 0

    assert capsys.readouterr().out.splitlines() == [
        "contacts: 1 of 2 records stored",
        "raw.contacts: 1 row",
        "raw.rejected_records: 1 row",
        "Not stored, but will be skipped when the CRM lists them: 999999999. Are they right?",
        "Nothing was erased",
    ]
    assert rows(COUNTS) == before
    assert rows("select count(*) from duckdb_tables() where table_name = 'forgotten'") == [(0,)]


@pytest.mark.long
@pytest.mark.parametrize(("typed", "left"), [("y", 1), ("n", 2)])
@pytest.mark.usefixtures("crm")
def test_forget_asks_in_a_terminal(monkeypatch: pytest.MonkeyPatch, typed: str, left: int) -> None:
    with terminal(monkeypatch, typed):
        assert command("contacts", "2") == 0

    assert rows("select count(*) from raw.contacts") == [(left,)]


@pytest.mark.slow
@pytest.mark.usefixtures("crm")
def test_tables_that_are_left_alone_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "staging.stg_contacts"]) == 0
    with connected(read_only=False) as connection:
        connection.execute("create table raw.contacts_backup as from raw.contacts")
    assert command("contacts", "2", "--dry-run") == 0
    named = "Left alone, as no model makes them: raw.contacts_backup. Drop first what has values of the records"
    assert named in capsys.readouterr().out.splitlines()


@pytest.mark.slow
@pytest.mark.usefixtures("crm")
def test_the_list_has_counts_and_times_of_forgotten_ids(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--list") == 0
    assert capsys.readouterr().out == "No id is forgotten\n"
    assert forget("contacts", "2", "999999999") == 0
    capsys.readouterr()

    assert command("--list") == 0

    shown = capsys.readouterr().out
    assert "UTC  contacts: 2 ids, 1 stored" in shown
    assert "999999999" not in shown


@pytest.mark.long
def test_only_an_id_that_was_never_stored_can_be_undone(crm: ScriptedCrm, capsys: pytest.CaptureFixture[str]) -> None:
    assert forget("contacts", "2", "3", "4") == 0

    assert command("contacts", "2", "3", "--undo") == 1
    assert "were erased, so they stay forgotten: 2." in capsys.readouterr().err
    assert command("contacts", "3", "5", "--undo") == 0
    assert "1 of 2 ids had been forgotten" in capsys.readouterr().out

    crm.lists["contacts"] = [marked_contact(id_, "a") for id_ in (1, 2, 3, 4)]
    assert materialize("contacts").success
    assert rows("select id from raw.contacts order by id") == [(1,), (3,)]


def test_forget_without_ids_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("contacts") == 1
    assert "at least one id" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.parametrize(
    ("key", "named"), [("account", True), ("hashed", True), ("contact_id", False), ("Text_ID", False)]
)
def test_tables_without_the_ids_of_records_are_named(
    project: ModelProject, capsys: pytest.CaptureFixture[str], key: str, named: bool
) -> None:
    project.write("staging/stg_people.sql", "select id, email, 1 as account from {{ source('present', 'contacts') }}")
    project.write(
        "marts/people.sql",
        "{{ config(materialized='incremental', unique_key='" + key + "') }}\n"
        "select id as contact_id, account, md5(id::varchar) as hashed, id::varchar as text_id, email "
        "from {{ ref('stg_people') }} where id = 1",
    )
    with connected(read_only=False) as connection:
        for model in project.models().values():
            build(connection, model)

    assert command("contacts", "1", "--dry-run") == 0

    assert ("marts.people keeps rows of earlier builds" in capsys.readouterr().out) == named


BOTH = """{{ config(materialized='incremental', unique_key=['kind', 'id']) }}
select 'contact' as kind, id, email from {{ source('present', 'contacts') }}
union all
select 'account', id, website from {{ source('present', 'accounts') }}"""

PAIRS = """{{ config(materialized='incremental', unique_key=['low', 'high']) }}
select a.id as low, b.id as high, b.email
from {{ source('present', 'contacts') }} as a
inner join {{ source('present', 'contacts') }} as b on a.id < b.id"""


@pytest.mark.long
@pytest.mark.parametrize(("sql", "left", "named"), [(BOTH, 3, True), (PAIRS, 0, False)])
def test_only_rows_whose_ids_are_those_of_records_are_erased(
    project: ModelProject, capsys: pytest.CaptureFixture[str], sql: str, left: int, named: bool
) -> None:
    """Account 2 stays when contact 2 is forgotten, and no key column with contacts' ids is left out."""
    project.write("marts/people.sql", sql)
    with connected(read_only=False) as connection:
        connection.execute(
            "drop view present.accounts; create table present.accounts as select 2 as id, 'a' as website"
        )
        build(connection, project.models()["marts.people"])

    assert forget("contacts", "2") == 0

    assert rows("select count(*) from marts.people") == [(left,)]
    assert ("marts.people keeps rows of earlier builds" in capsys.readouterr().out) == named


@pytest.mark.slow
def test_tables_that_a_stopped_call_dropped_are_rebuilt(project: ModelProject) -> None:
    project.mart("{{ config(materialized='table') }} select id from {{ source('raw', 'contacts') }}")
    with connected(read_only=False) as connection:
        build(connection, project.models()["marts.sales"])

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as stops:
        stops.setattr("crm_assets.privacy.applying.rebuild", stopped)
        assert forget("contacts", "2") == INTERRUPTED
    assert forget("contacts", "2") == 0

    assert rows("select id from marts.sales") == [(1,)]


@pytest.mark.slow
@pytest.mark.file
def test_a_call_that_cannot_erase_says_what_to_run(crm: ScriptedCrm, capsys: pytest.CaptureFixture[str]) -> None:
    with connected(read_only=False) as connection:
        connection.execute(
            "create schema mine; create table mine.b (id int primary key); insert into mine.b values (1)"
        )
        connection.execute("create table mine.a (id int references mine.b); insert into mine.a values (1)")

    assert forget("contacts", "2") == 1
    assert "run: crm-assets apply-policy\nDuckDB cannot copy foreign keys" in capsys.readouterr().err
    crm.seen.clear()
    assert "Run: crm-assets apply-policy" in materialize("contacts").failure("contacts")
    assert crm.seen == []

    with connected(read_only=False) as connection:
        connection.execute("drop table mine.a; drop table mine.b")
    assert main(["apply-policy", "--yes"]) == 0
    assert materialize("contacts").success


@pytest.mark.slow
@pytest.mark.usefixtures("crm")
def test_table_of_a_model_that_is_a_view_now_is_rebuilt() -> None:
    with connected(read_only=False) as connection:
        connection.execute("create schema staging; create table staging.stg_contacts as select id from raw.contacts")

    assert forget("contacts", "2") == 0

    assert rows("select contact_id from staging.stg_contacts") == [(1,)]


@pytest.mark.slow
@pytest.mark.usefixtures("crm")
def test_view_of_a_model_that_is_a_table_now_stops_nothing() -> None:
    with connected(read_only=False) as connection:
        connection.execute("create schema marts")
        connection.execute("create view marts.contact_engagement as select id from raw.contacts")

    assert forget("contacts", "2") == 0

    assert rows("from marts.contact_engagement") == [(1,)]


@pytest.mark.long
def test_ids_are_kept_as_salted_hashes_once() -> None:
    with configured_crm(lists={"contacts": [marked_contact(123456789, "a")]}):
        assert materialize("contacts").success
        assert forget("contacts", "123456789") == 0
        assert forget("contacts", "123456789") == 0
    [(resource, hashed, salt)] = rows("select resource, id_hash, salt from raw.forgotten")
    assert (resource, len(hashed), len(salt)) == ("contacts", 64, 64)


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
