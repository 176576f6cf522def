"""What a commit to a lake must not lose, and what it must not look at."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from crm_assets.errors import CommitUnconfirmed, WarehouseError
from crm_assets.warehouse.lake.commit import files_kept
from crm_assets.warehouse.transactions import committed
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.lake_servers import dsn_of
from crm_assets_tests.warehouse.statements import read, write

WITHOUT_LINKS = PermissionError("this file system has no hard links")


def write_and_delete(files: Path, *, fails: bool) -> None:
    """Writes a file, and deletes it and an older one at the commit."""
    with files_kept(files) as keep:
        (files / "raw/t/new.parquet").write_text("new", "utf-8")
        keep()
        for file in files.rglob("*.parquet"):
            if file.parent.name == "t":
                file.unlink()
        if fails:
            raise ConnectionError


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The folder of a lake with a table, and a file from an earlier commit."""
    folder = tmp_path / "files"
    (folder / "raw/t").mkdir(parents=True)
    (folder / "raw/t/old.parquet").write_text("old", "utf-8")
    os.utime(folder / "raw/t/old.parquet", (0, 0))
    return folder


@pytest.mark.parametrize("has_links", [True, False], ids=["with-hard-links", "without"])
def test_files_of_a_failed_commit_come_back(has_links: bool, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Path) -> None:
        raise WITHOUT_LINKS

    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(ConnectionError):
        write_and_delete(files, fails=True)
    assert [file.name for file in files.rglob("*.parquet")] == ["new.parquet"]
    assert (files / "raw/t/new.parquet").read_text("utf-8") == "new"


def test_files_of_a_successful_commit_stay_deleted(files: Path) -> None:
    write_and_delete(files, fails=False)
    assert [*files.rglob("*.parquet")] == []


def test_commit_lists_only_folders_of_tables_it_wrote(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (files / "raw/other").mkdir()
    for number in range(50):
        (files / f"raw/other/{number}.parquet").touch()
    os.utime(files / "raw/other", (0, 0))
    looked_into: list[str] = []
    rglob = Path.rglob

    def noting(folder: Path, pattern: str) -> Iterator[Path]:
        looked_into.append(folder.name)
        return iter(rglob(folder, pattern))

    monkeypatch.setattr(Path, "rglob", noting)
    with files_kept(files) as keep:
        (files / "raw/t/new.parquet").write_text("new", "utf-8")
        keep()
    assert looked_into == ["t"]


@pytest.mark.slow
def test_commit_refused_by_the_catalog_writes_nothing(lake: dict[str, str]) -> None:
    write("create table t as select 1 as i")
    with psycopg.connect(dsn_of(lake["CRM_WAREHOUSE"]), autocommit=True) as catalog:
        catalog.execute(
            "create function refuse() returns trigger language plpgsql as $$ begin raise 'no room for records'; end $$"
        )
        with Warehouse().get_connection(tables=["t"]) as connection:
            committed(connection, lambda: connection.execute("insert into t values (2)"))
            catalog.execute(
                "create trigger refuse before insert on sandbox.ducklake_snapshot execute function refuse()"
            )
            with pytest.raises(WarehouseError, match=r"Nothing was written: .*no room for records") as raised:
                committed(connection, lambda: connection.execute("insert into t values (3)"))
    assert not isinstance(raised.value, CommitUnconfirmed)
    assert read("from t") == [(1,), (2,)]
