"""Published Parquet files have DuckDB's values, and readers see one version as a whole."""

import json
import math
import stat
from collections.abc import Callable
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest.mock import Mock

import pyarrow.parquet as pq
import pytest

from crm_assets.__main__ import main
from crm_assets.warehouse.warehouse import Warehouse

HOSTILE = """
create schema raw;
create view raw."a/b ""c.d" as
select
    unnest([null, -9223372036854775808, 9223372036854775807, 1450348061427834880]) as id,
    unnest([null, '', ' "'' é😀', 'null']) as text,
    unnest([null, -99999999999999999999999999999.999999999, 0.000000001, 1])::decimal(38, 9) as money,
    unnest([null, 99999999999999999999999999999999999999, -1, 170141183460469231])::hugeint as total,
    unnest([null, '0001-01-01 00:00:00+00', '9999-12-31 23:59:59.999999+00', '1969-12-31 23:59:59.999999+02'])
        ::timestamptz as at,
    unnest([null, '0001-01-01', '9999-12-31', '2024-02-29'])::date as day,
    unnest([null, 'infinity', '-0.0', '5e-324'])::double as ratio,
    unnest([null, '{"n": 18446744073709551617, "a": [1.10, null, "é"]}', '[]', '""'])::json as document,
    unnest([null, true, false, true]) as flag,
    unnest([null, [[], ['x', null]], null, null]) as lists
"""
VALUES: dict[str, list[Any]] = {
    "BIGINT": [None, -(2**63), 2**63 - 1, 1450348061427834880],
    "VARCHAR": [None, "", " \"' é😀", "null"],
    "DECIMAL(38,9)": [None, Decimal("-99999999999999999999999999999.999999999"), Decimal("1E-9"), Decimal(1)],
    "HUGEINT": [None, Decimal(10**38 - 1), Decimal(-1), Decimal(170141183460469231)],
    "TIMESTAMP WITH TIME ZONE": [
        None,
        datetime(1, 1, 1, tzinfo=timezone.utc),
        datetime(9999, 12, 31, 23, 59, 59, 999999, timezone.utc),
        datetime(1969, 12, 31, 21, 59, 59, 999999, timezone.utc),
    ],
    "DATE": [None, date(1, 1, 1), date(9999, 12, 31), date(2024, 2, 29)],
    "DOUBLE": [None, math.inf, -0.0, 5e-324],
    "JSON": [None, '{"n": 18446744073709551617, "a": [1.10, null, "é"]}', "[]", '""'],
    "BOOLEAN": [None, True, False, True],
    "VARCHAR[][]": [None, [[], ["x", None]], None, None],
}
"""Type of each column -> its values."""

NUMBERED = "create or replace table a as select {0} as n; create or replace table b as select {0} as n from range(9)"


pytestmark = pytest.mark.usefixtures("a_crm")


@pytest.fixture
def publish(tmp_path: Path) -> Callable[..., Path]:
    """Runs statements, publishes, and returns the folder."""

    def published(*statements: str, expected: int = 0) -> Path:
        with Warehouse().get_connection() as connection:
            for statement in statements:
                connection.execute(statement)
        assert main(["publish", "--parquet", str(tmp_path / "published")]) == expected
        return tmp_path / "published"

    return published


def test_a_path_that_is_no_folder_is_named(
    publish: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "published").touch()
    publish(expected=1)
    assert capsys.readouterr().err.endswith("published'. Give --parquet a folder that can be written to\n")


def test_tables_of_another_crm_are_not_replaced(
    publish: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    details = "create schema raw; create table raw.sync_details as select '{}' as base_url, 'load_1' as _dlt_load_id"
    current = (publish(details.format("https://north.example")) / "current").readlink()
    folder = publish("drop schema raw cascade", details.format("https://south.example"), expected=1)
    assert "has the tables of https://north.example, not of https://south.example" in capsys.readouterr().err
    assert (folder / "current").readlink() == current


@pytest.mark.parametrize("text", ["", '{"source": ', "[]", "{}"])
def test_a_damaged_manifest_is_named(
    text: str, publish: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = publish("create table a as select 1 as n") / "current" / "manifest.json"
    manifest.write_text(text, encoding="utf-8")
    publish(expected=1)
    assert f"{manifest} is damaged: " in capsys.readouterr().err
    manifest.unlink()
    publish()
    assert json.loads(manifest.read_text("utf-8"))["tables"]


def test_the_home_may_be_written_as_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with Warehouse().get_connection():
        pass
    assert main(["publish", "--parquet=~/published"]) == 0
    assert (tmp_path / "published" / "current").is_dir()


def listed(folder: Path) -> dict[str, dict[str, Any]]:
    """The tables of the manifest, by address."""
    return {table["table"]: table for table in json.loads((folder / "current" / "manifest.json").read_text())["tables"]}


@pytest.mark.usefixtures("kind")
def test_other_engines_read_the_same_values(publish: Callable[..., Path]) -> None:
    folder = publish(HOSTILE)
    [(address, table)] = listed(folder).items()
    assert address == 'raw.a/b "c.d'
    read = pq.read_table(folder / "current" / table["file"])
    assert [column.to_pylist() for column in read.columns] == [*VALUES.values()]
    assert (table["rows"], [column["type"] for column in table["columns"]]) == (4, [*VALUES])


def test_a_list_of_an_enum_stays_a_list(publish: Callable[..., Path]) -> None:
    folder = publish("create table t as select [['b)', null], []]::enum ('a', 'b)')[][] as x")
    assert pq.read_table(folder / "current" / "main.t.parquet").to_pylist() == [{"x": [["b)", None], []]}]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("interval 1 month", "t: Parquet cannot hold x, which is INTERVAL"),
        ("timetz '10:00:00+01'", "t: Parquet cannot hold x, which is TIME WITH TIME ZONE"),
        ("[1::hugeint]", "t: Parquet cannot hold x, which is HUGEINT[]"),
        ("170141183460469231731687303715884105727", "t: Parquet cannot hold an integer of more than 38 digits"),
        ("('Jane' || (from good))::int", "t: Conversion Error: Could not convert string '…' to INT32"),
        ("error('Jane' || (from good))", "t: Invalid Input Error. DuckDB's message is not shown"),
    ],
    ids=["interval", "time-zone", "nested", "digits", "cast", "error"],
)
def test_a_value_that_cannot_be_written_is_refused(
    expression: str, message: str, publish: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = publish("create table good as select 1 as x")
    before = (folder / "current").readlink().name
    publish(f"create view t as select {expression} as x", expected=1)
    shown = capsys.readouterr().err
    assert message in shown
    assert "Jane" not in shown
    assert (folder / "current").readlink().name == before
    assert {path.name for path in folder.iterdir()} == {before, "current", ".lock"}


@pytest.mark.usefixtures("kind")
def test_views_of_missing_tables_are_left_out(publish: Callable[..., Path]) -> None:
    folder = publish("create table t as select 1 as x", "create view v as from t", "create view w as from v")
    assert {"main.t", "main.v", "main.w"} == listed(folder).keys()
    publish("drop table t")
    assert listed(folder) == {}


@pytest.mark.slow
def test_a_reader_sees_one_version_as_a_whole(publish: Callable[..., Path]) -> None:
    folder, ended, seen = publish(NUMBERED.format(0)), Event(), []

    def read() -> None:
        while not ended.is_set():
            version = (folder / "current").resolve()
            [first] = pq.read_table(version / "main.a.parquet")["n"].to_pylist()
            seen.append({first, *pq.read_table(version / "main.b.parquet")["n"].to_pylist()})

    reader = Thread(target=read)
    reader.start()
    for number in range(1, 6):
        publish(NUMBERED.format(number))
    ended.set()
    reader.join()
    assert {len(numbers) for numbers in seen} == {1}
    assert len({*map(tuple, seen)}) > 1


@pytest.mark.slow
def test_two_versions_are_kept(publish: Callable[..., Path]) -> None:
    versions = [(publish(NUMBERED.format(number)) / "current").readlink().name for number in range(4)]
    killed = publish(NUMBERED.format(4)) / "20260101T000000000000Z"
    killed.mkdir()
    folder = publish(NUMBERED.format(5))
    kept = {path.name for path in folder.iterdir()} - {".lock", "current"}
    assert len(kept) == 2 and (folder / "current").readlink().name in kept
    assert kept.isdisjoint({*versions, killed.name})


@pytest.mark.slow
def test_files_of_killed_processes_do_not_pile_up(
    publish: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = publish(NUMBERED.format(0))
    for day in range(1, 4):
        (folder / f"2026010{day}T000000000000Z").mkdir()
    monkeypatch.setattr("crm_assets.warehouse.copies.os.sync", Mock(side_effect=SystemExit))  # as good as killed
    with pytest.raises(SystemExit):
        publish(NUMBERED.format(1))
    versions = {path.name for path in folder.iterdir()} - {".lock", "current"}
    assert len(versions) == 2 and (folder / "current").readlink().name in versions


@pytest.mark.slow
@pytest.mark.parametrize("name", ["2024-T1-QUIZ", "20260101T000000Z", "notes"])
def test_folders_of_others_are_kept(publish: Callable[..., Path], tmp_path: Path, name: str) -> None:
    (tmp_path / "published" / name).mkdir(parents=True)
    for number in range(3):
        publish(NUMBERED.format(number))
    assert (tmp_path / "published" / name).exists()


@pytest.mark.parametrize("mode", [0o700, 0o750])
def test_files_are_for_those_who_can_access_the_folder(mode: int, publish: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "published").mkdir()
    (tmp_path / "published").chmod(mode)
    folder = publish(NUMBERED.format(1))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (folder / "current").iterdir()}
    assert modes == {mode & 0o666}
    assert stat.S_IMODE((folder / "current").stat().st_mode) == mode
