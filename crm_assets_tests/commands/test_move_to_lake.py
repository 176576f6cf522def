"""A file's tables in a lake: all of them, with every value, or none."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from crm_assets.__main__ import main
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.lake_servers import LakeServers
from crm_assets_tests.scripted_crm import configured_crm, tasks

pytestmark = pytest.mark.slow

VALUES = """
create schema marts;
create table marts.kept (
    day date not null, n hugeint, kind enum ('a', 'b'), x double, t timestamptz, j json, d decimal(38, 9), l bigint[]
);
insert into marts.kept values
    ('2026-01-01', 170141183460469231731, 'a', 0.1, '0001-01-01 00:00:00+00', '{"a": 1.50}', 0.000000001, [1, null]),
    ('2026-01-02', null, 'b', 'nan', null, null, -12345678901234567890123456789.123456789, []),
    ('2026-01-02', null, 'b', 'nan', null, null, -12345678901234567890123456789.123456789, []);
create view marts.seen as from marts.kept;
"""


@pytest.fixture
def file(data_dir: Path) -> Iterator[Path]:
    """A file with what a read has loaded, and with a table of values of many types."""
    with configured_crm(lists={"open_tasks": tasks(30)}):
        assert materialize("open_tasks").success
        with Warehouse().get_connection() as connection:
            connection.execute(VALUES)
        yield data_dir / "crm.duckdb"


@pytest.fixture
def lake(file: Path, servers: LakeServers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake that is configured only after the file was written."""
    assert file.exists()
    for name, value in servers.new_lake().items():
        monkeypatch.setenv(name, value)


def moved(*arguments: str) -> int:
    return main(["move-to-lake", *arguments])


@pytest.mark.long
@pytest.mark.usefixtures("lake")
def test_all_tables_come_with_every_value(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert moved() == 0
    output = capsys.readouterr().out
    for words in ("30  raw.open_tasks", "1  raw.sync_log", "3  marts.kept"):
        assert words in output
    query = "select day, n, kind::varchar, x::varchar, t, j::varchar, d, l from marts.kept order by day"
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        before = connection.execute(query).fetchall()
    with Warehouse().read_connection() as connection:
        assert connection.execute(query).fetchall() == before


@pytest.mark.long
@pytest.mark.usefixtures("lake", "file")
def test_tables_that_are_moved_already_are_compared_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert (moved(), moved()) == (0, 0)
    assert capsys.readouterr().out.count("3  marts.kept") == 2
    with Warehouse().get_connection() as connection:
        connection.execute("update marts.kept set x = 0.2 where day = '2026-01-01'")
    assert moved() == 1
    assert "marts.kept" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.usefixtures("lake", "file")
def test_the_next_read_continues_from_the_moved_file() -> None:
    assert moved() == 0
    run = materialize("open_tasks", mode="incremental")
    assert run.success
    with Warehouse().read_connection() as connection:
        assert connection.execute("select count(*) from raw.sync_log").fetchall() == [(2,)]


@pytest.mark.long
@pytest.mark.usefixtures("lake", "file")
def test_existing_tables_are_named_and_nothing_is_moved(capsys: pytest.CaptureFixture[str]) -> None:
    with Warehouse().get_connection() as connection:
        connection.execute("create schema marts; create table marts.kept as select 1 as i")
    assert moved() == 1
    assert "marts.kept" in capsys.readouterr().err
    with Warehouse().read_connection() as connection:
        assert connection.execute("select table_name from information_schema.tables").fetchall() == [("kept",)]


@pytest.mark.long
@pytest.mark.usefixtures("lake")
def test_value_that_a_lake_cannot_hold_is_refused_with_its_table(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Warehouse(database=str(file)).get_connection() as connection:
        connection.execute("create table marts.huge as select 170141183460469231731687303715884105727::hugeint as n")
    assert moved() == 1
    assert "marts.huge" in capsys.readouterr().err


@pytest.mark.usefixtures("lake", "file")
def test_file_of_another_crm_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SOURCES__CRM__BASE_URL", "https://another.example")
    assert moved() == 1
    assert "must not mix" in capsys.readouterr().err
    with Warehouse().get_connection() as connection:
        assert connection.execute("from information_schema.tables").fetchall() == []


@pytest.mark.usefixtures("lake_extensions", "file")
def test_a_folder_that_cannot_be_made_is_not_called_a_wrong_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRM_WAREHOUSE", f"ducklake:{tmp_path}/crm.ducklake")
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(tmp_path))
    (tmp_path / "crm").mkdir()
    (tmp_path / "crm" / "marts").touch()
    assert moved() == 1
    shown = capsys.readouterr().err
    assert "cannot store" not in shown
    assert "Not a directory. " in shown


def test_a_warehouse_that_is_the_file_itself_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert moved(str(file)) == 1
    assert "Set it to a lake" in capsys.readouterr().err
