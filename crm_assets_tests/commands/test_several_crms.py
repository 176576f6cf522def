"""The option `--crm` of the commands."""

import itertools
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


def command(*arguments: str) -> int:
    return main([*arguments])


@pytest.mark.slow
def test_check_names_the_settings_of_its_crm(crms: SeveralCrms, capsys: pytest.CaptureFixture[str]) -> None:
    crms.write(south="wrong")
    assert command("check", "--crm", "north") == 0
    output = capsys.readouterr().out
    assert "turn off north_open_tasks_schedule" in output
    assert "Every list can be read." in output
    assert command("check", "--crm", "south") == 1
    assert "SOURCES__SOUTH__API_KEY" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "message"),
    [("nroth", "sources.nroth.base_url (SOURCES__NROTH__BASE_URL)"), ("No", "'No' cannot be the name of a CRM")],
)
@pytest.mark.usefixtures("crms")
def test_unknown_name_is_refused(capsys: pytest.CaptureFixture[str], name: str, message: str) -> None:
    assert command("tables", "--crm", name) == 1
    assert capsys.readouterr().err.strip().startswith(message)


@pytest.mark.usefixtures("crms")
def test_missing_tables_are_made_by_the_job_of_the_crm(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("tables", "--crm", "north") == 1
    assert capsys.readouterr().err.endswith("such as with: crm-assets run north_crm_full_refresh\n")


@pytest.mark.usefixtures("crms")
def test_settings_are_those_of_the_crm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SOURCES__NORTH__PER_PAGE", "20")
    assert command("settings", "--crm", "north") == 0
    output = capsys.readouterr().out
    assert "SOURCES__CRM__" not in output
    shown = {variable: value for variable, value, *_ in map(str.split, output.splitlines())}
    assert (shown["SOURCES__NORTH__PER_PAGE"], shown["SOURCES__NORTH__API_KEY"]) == ("20", "***")
    assert "CRM_DATA_DIR" in shown


@pytest.mark.long
def test_address_is_accepted_for_one_crm(
    crms: SeveralCrms, data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(assets("north/raw/accounts", "west/raw/accounts")).success
    moved = crms.servers["north"].base_url.replace("127.0.0.1", "localhost")
    monkeypatch.setenv("SOURCES__NORTH__BASE_URL", moved)
    assert not run(assets("north/raw/accounts")).success
    assert command("accept-address", "--crm", "north") == 0
    assert run(assets("north/raw/accounts")).success
    addresses = "select distinct base_url from raw.sync_details"
    assert rows(addresses, data_dir / "west.duckdb") == [(crms.servers["west"].base_url,)]

    capsys.readouterr()
    assert command("tables", "--crm", "west") == 0
    assert dict(itertools.pairwise(capsys.readouterr().out.split()))["raw.accounts"] == "30"


@pytest.mark.long
@pytest.mark.usefixtures("crms")
def test_vanished_rows_are_confirmed_for_one_crm(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(assets("west/raw/accounts")).success
    with connected(data_dir / "west.duckdb", read_only=False) as connection:  # as if the list had been longer
        load = "select max(_dlt_load_id) from raw.sync_log"
        connection.execute(
            f"insert into raw.accounts (id, _dlt_load_id, _dlt_id) select range, ({load}), '' from range(70)"
        )
    found = run(assets("west/raw/accounts")).get_asset_check_evaluations()
    advice = " ".join(check.description or "" for check in found if check.check_name == "complete_read")
    assert "crm-assets confirm accounts --crm west" in advice

    assert command("confirm", "accounts", "--crm", "west") == 0

    assert "70 of 100 rows vanish" in capsys.readouterr().out
    assert rows("select count(*) from present.accounts", data_dir / "west.duckdb") == [(30,)]


@pytest.mark.parametrize(
    "name", ["tables", "forget contacts 1 --yes", "confirm contacts", "accept-address", "move-to-lake"]
)
@pytest.mark.usefixtures("crms")
def test_command_opens_the_database_of_the_crm(name: str, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*name.split(), "--crm", "north") == 1
    assert str(data_dir / "north.duckdb") in capsys.readouterr().err
