"""A lake's files: small ones are merged, and what is erased is in none of them."""

from pathlib import Path

import duckdb
import pytest

from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.warehouse.statements import read, write

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("lake")
def test_maintenance_merges_files_and_changes_no_row() -> None:
    write("create table t (i bigint)")
    for i in range(20):
        write(f"insert into t select {i} * 1000 + range from range(1000)")
    numbers = Warehouse().maintain()
    assert numbers["files before"] == 20
    assert numbers["files"] < 5
    assert read("select count(*), count(distinct i), sum(i) from t") == [(20_000, 20_000, sum(range(20_000)))]


@pytest.mark.usefixtures("lake")
def test_what_is_erased_is_in_no_file(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = data_dir / "files"
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(files))
    write("create table t as select range as i, 'secret of ' || range as told from range(3000)")
    write("update t set told = null where i = 17")
    assert holding(files, b"secret of 17") > 0
    Warehouse().erase()
    assert read("select count(*), count(told) from t") == [(3000, 2999)]
    assert holding(files, b"secret of 17") == 0


def holding(folder: Path, told: bytes) -> int:
    """How many Parquet files below a folder hold a text."""
    query = "select count(*) from read_parquet(?) where told = ?"
    return sum(
        duckdb.execute(query, [str(file), told.decode()]).fetchall() != [(0,)]
        for file in folder.rglob("*.parquet")
        if "-delete" not in file.name
    )
