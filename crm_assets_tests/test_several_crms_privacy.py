"""Personal data of one of several CRMs: what is erased is its own, everywhere, and nothing of the others."""

import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from crm_assets.__main__ import main
from crm_assets_tests.assets.raw_runs import apply_policy, rows
from crm_assets_tests.data_dirs import LAKES
from crm_assets_tests.marked_records import found_in_files
from crm_assets_tests.several_crms import assets, run, several_crms

pytestmark = pytest.mark.slow

COUNT = "select count(*), count(email) from {}_raw.contacts"
NORTH, WEST = (10 * 5, 10 * 5), (30 * 5, 30 * 5)
"""The numbers of contacts, and of those with an address."""


@pytest.fixture
def database(tmp_path: Path, data_dir: Path) -> Iterator[Path]:
    """The contacts of two CRMs, a table made from them, and their published copies."""
    with several_crms(tmp_path):
        assert run(assets("north/marts/contact_engagement", "west/raw/contacts").upstream()).success
        assert run(assets("north/published/database", "west/published/database")).success
        yield data_dir / "crm.duckdb"


def a_mail(database: Path, crm: str) -> str:
    """An address of one CRM that the other does not have."""
    other = "west" if crm == "north" else "north"
    [(found,)] = rows(
        database,
        f"select email from {crm}_raw.contacts anti join {other}_raw.contacts using (email) order by email limit 1",
    )
    return str(found)


def test_a_policy_is_that_of_one_crm(database: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_north, of_west = a_mail(database, "north"), a_mail(database, "west")
    assert found_in_files([of_north, of_west], data_dir) == {of_north, of_west}
    monkeypatch.setenv("NORTH__SOURCES__CRM__PERSONAL_DATA", "leave_out")
    apply_policy("--crm", "north")
    assert run(assets("north/raw/accounts")).success

    assert rows(database, COUNT.format("north")) == [(NORTH[0], 0)]
    assert rows(database, COUNT.format("west")) == [WEST]
    assert rows(database, "select count(*) from north_marts.contact_engagement") == [(NORTH[0],)]
    assert found_in_files([of_north, of_west], data_dir) == {of_west}


@pytest.mark.usefixtures("database")
def test_the_published_copy_is_made_anew_for_the_policy(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if data_dir in LAKES:
        pytest.skip("readers of a lake see its tables themselves")
    monkeypatch.setenv("NORTH__SOURCES__CRM__PERSONAL_DATA", "leave_out")
    apply_policy("--crm", "north")
    assert run(assets("north/raw/accounts")).success
    with duckdb.connect(str(data_dir / "crm.north.published.duckdb"), read_only=True) as copy:
        assert copy.execute("select count(*) from north_marts.contact_engagement").fetchall() == [(NORTH[0],)]


def test_records_of_one_crm_are_forgotten(database: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mail = a_mail(database, "north")
    [(id_,)] = rows(database, f"select id from north_raw.contacts where email = '{mail}'")
    monkeypatch.setattr(sys, "argv", ["crm_assets", "forget", "contacts", str(id_), "--yes"])
    assert main() == 1  # whose contact?
    monkeypatch.setattr(sys, "argv", ["crm_assets", "forget", "contacts", str(id_), "--yes", "--crm", "north"])
    assert main() == 0

    assert run(assets("north/raw/contacts")).success
    assert rows(database, COUNT.format("north")) == [(NORTH[0] - 1, NORTH[1] - 1)]
    assert rows(database, COUNT.format("west")) == [WEST]
    assert found_in_files([mail], data_dir) == set()


def test_what_a_killed_publishing_left_does_not_stay(database: Path, data_dir: Path) -> None:
    if data_dir in LAKES:
        pytest.skip("a lake has no published copy")
    left = data_dir / "crm.west.part.duckdb"
    left.write_bytes(database.read_bytes())
    assert run(assets("north/raw/accounts", "north/published/database")).success
    assert not left.exists()
