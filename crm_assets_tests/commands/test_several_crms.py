"""The option `--crm` of the commands, where several CRMs are listed."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_assets.__main__ import main
from crm_assets_tests.assets.raw_runs import rows
from crm_assets_tests.data_dirs import connected
from crm_assets_tests.several_crms import SeveralCrms, assets, run, several_crms


@pytest.fixture
def crms(tmp_path: Path) -> Iterator[SeveralCrms]:
    with several_crms(tmp_path) as crms:
        yield crms


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["crm_assets", *arguments])
    return main()


def test_all_are_checked_and_one_that_fails_is_named(
    crms: SeveralCrms, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crms.write(south="wrong")
    assert command(monkeypatch, "check", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert {name: all(each["can_be_read"] for each in one["lists"]) for name, one in found.items()} == {
        "north": True,
        "south": False,
        "west": True,
    }
    assert "SOUTH__SOURCES__CRM__API_KEY" in str(found["south"]["problems"])


def test_one_that_is_not_complete_keeps_no_other_from_being_checked(
    crms: SeveralCrms, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = crms.folder / "crms.toml"
    file.write_text(file.read_text(encoding="utf-8") + "[east]\n", encoding="utf-8")
    assert command(monkeypatch, "check") == 1
    printed = capsys.readouterr()
    assert "east.sources.crm.base_url (EAST__SOURCES__CRM__BASE_URL)" in printed.err
    assert printed.out.count("Every list can be read.") == 3


def test_one_can_be_chosen(
    crms: SeveralCrms, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crms.write(south="wrong")
    assert command(monkeypatch, "check", "--crm", "north") == 0
    assert "Every list can be read." in capsys.readouterr().out


@pytest.mark.usefixtures("crms")
def test_a_name_that_is_not_listed_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "tables", "--crm", "nroth") == 1
    assert capsys.readouterr().err.strip() == ("There is no CRM 'nroth'. Those in crms.toml: north, south, west")


@pytest.mark.usefixtures("crms")
@pytest.mark.parametrize(
    "arguments", [("forget", "contacts", "1"), ("accept-address",), ("dbt-project", "folder"), ("build",)]
)
def test_what_concerns_one_asks_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert command(monkeypatch, *arguments) == 1
    assert "There are several CRMs. Add --crm with one of north, south, west" in capsys.readouterr().err


@pytest.mark.usefixtures("crms")
def test_settings_are_shown_for_each(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NORTH__SOURCES__CRM__PER_PAGE", "20")
    assert command(monkeypatch, "settings") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    shown = {variable: value for variable, value, *_ in lines}
    assert shown["NORTH__SOURCES__CRM__PER_PAGE"] == "20"
    assert shown["WEST__SOURCES__CRM__PER_PAGE"] == "50"
    assert shown["SOUTH__SOURCES__CRM__API_KEY"] == "***"
    assert [variable for variable, *_ in lines].count("CRM_DATA_DIR") == 1


def test_tables_are_those_of_all_and_an_address_is_accepted_for_one(
    crms: SeveralCrms, data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(assets("north/raw/accounts", "west/raw/accounts")).success
    assert command(monkeypatch, "tables") == 0
    printed = capsys.readouterr().out.split()
    counted = dict(itertools.pairwise(printed))
    assert (counted["north_raw.accounts"], counted["west_raw.accounts"]) == ("10", "30")

    moved = crms.servers["north"].base_url.replace("127.0.0.1", "localhost")
    monkeypatch.setenv("NORTH__SOURCES__CRM__BASE_URL", moved)
    assert not run(assets("north/raw/accounts")).success
    assert command(monkeypatch, "accept-address", "--crm", "north") == 0
    assert run(assets("north/raw/accounts")).success
    of_west = rows(data_dir / "crm.duckdb", "select distinct base_url from west_raw.sync_details")
    assert of_west == [(crms.servers["west"].base_url,)]


def test_tables_are_shown_although_the_first_of_several_crms_is_incomplete(
    crms: SeveralCrms, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(assets("west/raw/accounts")).success
    file = crms.folder / "crms.toml"
    file.write_text("[east]\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    assert command(monkeypatch, "tables") == 0
    counted = dict(itertools.pairwise(capsys.readouterr().out.split()))
    assert counted["west_raw.accounts"] == "30"


@pytest.mark.usefixtures("crms")
def test_vanished_rows_are_confirmed_for_one(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(assets("north/raw/accounts", "west/raw/accounts")).success
    with connected(data_dir / "crm.duckdb", read_only=False) as connection:
        for crm in ("north", "west"):  # as if the list had been longer
            load = f"select max(_dlt_load_id) from {crm}_raw.sync_log"
            more = (
                f"insert into {crm}_raw.accounts (id, _dlt_load_id, _dlt_id) select range, ({load}), '' from range(70)"
            )
            connection.execute(more)
    found = run(assets("north/raw/accounts", "west/raw/accounts")).get_asset_check_evaluations()
    advice = " ".join(check.description or "" for check in found if check.check_name == "complete_read")
    assert advice.count("crm-assets confirm accounts --crm") == 2

    assert command(monkeypatch, "confirm", "accounts", "--crm", "west") == 0

    assert "70 of 100 rows vanish" in capsys.readouterr().out
    shown = "select (select count(*) from north_present.accounts), (select count(*) from west_present.accounts)"
    assert rows(data_dir / "crm.duckdb", shown) == [(80, 30)]


@pytest.mark.usefixtures("crms")
def test_models_are_built_for_one(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(assets("north/raw/accounts", "west/raw/accounts")).success

    assert command(monkeypatch, "build", "--crm", "west", "staging.stg_accounts") == 0

    assert "west_staging.stg_accounts: 30 rows, 7 tests" in capsys.readouterr().out
    built = "select schema_name from duckdb_views() where view_name = 'stg_accounts'"
    assert rows(data_dir / "crm.duckdb", built) == [("west_staging",)]
