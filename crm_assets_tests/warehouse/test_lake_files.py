"""A lake's files: small ones are merged, and erased values are in none of them."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psycopg
import pytest

from crm_assets.errors import WarehouseBusy, WarehouseUnreachable
from crm_assets.warehouse.lake import files
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.lake_contents import lake_texts
from crm_assets_tests.lake_servers import dsn_of
from crm_assets_tests.scripted_crm import configured_crm, tasks
from crm_assets_tests.warehouse.statements import configured_lake, read, write

pytestmark = pytest.mark.slow


@pytest.mark.long
@pytest.mark.usefixtures("lake")
def test_maintenance_merges_files_and_changes_no_row() -> None:
    write("create table t (i bigint)")
    for i in range(20):
        write(f"insert into t select {i} * 1000 + range from range(1000)")
    numbers = configured_lake().maintain()
    assert numbers["files before"] == 20
    assert numbers["files"] < 5
    assert read("select count(*), count(distinct i), sum(i) from t") == [(20_000, 20_000, sum(range(20_000)))]


@pytest.mark.long
@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize(("deleted", "delete_files"), [(600, 0), (400, 1)], ids=["most", "less than half"])
def test_maintenance_rewrites_files_of_which_most_rows_are_deleted(deleted: int, delete_files: int) -> None:
    write("create table t as select range as i from range(1000)")
    write(f"delete from t where i < {deleted}")
    configured_lake().maintain()
    assert read("select delete_file_count from ducklake_table_info('lake') where table_name = 't'") == [(delete_files,)]
    assert read("select count(*) from t") == [(1000 - deleted,)]


@pytest.mark.long
@pytest.mark.usefixtures("lake")
def test_maintenance_counts_the_rows_that_plans_expect() -> None:
    write("create table t as select range as i from range(1000)")
    for _ in range(3):
        write("truncate t; insert into t select range from range(500)")
    configured_lake().maintain()
    assert "~500 rows" in read("explain from t")[0][1]


@pytest.mark.long
@pytest.mark.usefixtures("lake")
def test_older_rows_are_found_after_maintenance_and_an_insert() -> None:
    write(
        "create table t as select range as i, 'a' || range as note, {'part': 'p' || range} as nested from range(1000)"
    )
    write("insert into t values (2001, 'note before', {'part': 'note before'})")
    write("update t set note = null, nested = null where i < 999")
    configured_lake().maintain()
    write("insert into t select range, 'b' || range, {'part': 'q' || range} from range(3000, 4000)")
    assert read("select i from t where note = 'note before'") == [(2001,)]
    assert read("select i from t where nested.part = 'note before'") == [(2001,)]
    assert read("select i from t where note = 'a999'") == [(999,)]


@pytest.mark.usefixtures("lake")
def test_every_value_is_found_after_maintenance() -> None:
    values = {
        "bigint": ("9", "10", "-1"),
        "decimal": ("9.001", "10", "-1.5"),
        "double": ("9", "1e300", "nan", "-inf"),
        "date": ("9999-12-31", "10000-01-01", "0044-03-15 (BC)"),
        "timestamp_ns": ("2024-01-05 10:00:00.000000002", "2024-01-05 10:00:00.000000001"),
        "varchar": ("B", "a", "é", ""),
    }
    for type_, texts in values.items():
        write(f"create table {type_}s (v {type_})")
        for text in texts:
            write(f"insert into {type_}s values ('{text}')")
    configured_lake().maintain()
    for type_, texts in values.items():
        found = [read(f"select count(*) from {type_}s where v = '{text}'::{type_}") for text in texts]
        assert found == [[(1,)]] * len(texts), type_


@pytest.mark.long
@pytest.mark.usefixtures("lake")
def test_maintenance_keeps_the_sandboxs_files(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(data_dir / "files"))
    write("create table t as select range as i from range(100)")
    for file in data_dir.rglob("*.parquet"):
        os.utime(file, (0, 0))  # looks like one of a process that was killed long ago
    for name, value in {"SOURCES__CRM__BASE_URL": "https://crm.example", "SOURCES__CRM__API_KEY": "key"}.items():
        monkeypatch.setenv(name, value)
    configured_lake().maintain()
    monkeypatch.delenv("SOURCES__CRM__BASE_URL")
    monkeypatch.delenv("SOURCES__CRM__API_KEY")
    assert read("select count(*) from t") == [(100,)]


@pytest.mark.long
@pytest.mark.parametrize("statement", ["update t set note = null where {}", "delete from t where {}"])
@pytest.mark.parametrize("inlined", [10, 0], ids=["in-the-catalog", "in-files"])
def test_erased_values_are_in_no_file_and_not_in_the_catalog(
    lake: dict[str, str], statement: str, inlined: int
) -> None:
    rows = 5 if inlined else 3000
    with rows_in_the_catalog(inlined):
        write(f"create table t as select range as i, 'secret of ' || range as note from range({rows})")
        write("create table dropped as select 'secret of 3' as note")
        assert written_with("secret of 3", lake) > 2
        write(statement.format("i = 3"))
        write("drop table dropped")
    Warehouse().erase()
    assert read("select count(note) from t") == [(rows - 1,)]
    assert written_with("secret of 3'", lake) == 0
    assert written_with("secret of 4", lake) > 0


@pytest.mark.long
@pytest.mark.usefixtures("lake")
def test_unused_files_are_removed_while_nobody_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    write("create table t as select 1 as i")
    refused, call = [], files._call

    def call_beside_a_writer(connection: duckdb.DuckDBPyConnection, *procedures: str) -> None:
        if any("delete_orphaned_files" in procedure for procedure in procedures):
            with pytest.raises(WarehouseBusy) as busy, Warehouse(lock_wait=0).get_connection(tables=["t"]):
                pass  # DuckLake fails if a file is deleted meanwhile
            refused.append(busy)
        call(connection, *procedures)

    monkeypatch.setattr(files, "_call", call_beside_a_writer)
    configured_lake().maintain()
    assert len(refused) == 1


@pytest.mark.usefixtures("lake")
def test_files_of_killed_writers_are_erased_as_well(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(data_dir / "files"))
    write("create table t as select range as i from range(100)")
    [file] = data_dir.rglob("*.parquet")
    left_behind = file.with_name("ducklake-left-behind.parquet")
    shutil.copy(file, left_behind)
    Warehouse().erase()
    assert not left_behind.exists()
    assert read("select count(*) from t") == [(100,)]


def test_erasure_that_has_lost_its_lock_deletes_no_file(
    lake: dict[str, str], monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(data_dir / "files"))
    monkeypatch.setattr(files, "ERASURE", files.ERASURE[-1:])  # deletes files that no snapshot has
    write("create table t as select range as i from range(100)")
    [file] = data_dir.rglob("*.parquet")
    not_committed_yet = file.with_name("of-another-writer.parquet")
    with Warehouse().get_connection() as connection:
        with psycopg.connect(dsn_of(lake["CRM_WAREHOUSE"])) as other:
            other.execute("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'")
        shutil.copy(file, not_committed_yet)
        with pytest.raises(WarehouseUnreachable):
            files.erase(connection, "unused")
    assert not_committed_yet.exists()


def test_erasure_spares_no_snapshot_of_a_clock_ahead(lake: dict[str, str]) -> None:
    write("create table t as select 'secret of 3' as note")
    with psycopg.connect(dsn_of(lake["CRM_WAREHOUSE"])) as connection:
        connection.execute("update sandbox.ducklake_snapshot set snapshot_time = now() + interval '1 minute'")
    write("delete from t")
    Warehouse().erase()
    assert written_with("secret of 3", lake) == 0


@pytest.mark.long
def test_bounds_of_erased_values_are_not_in_the_catalog(lake: dict[str, str]) -> None:
    write(
        "create table t as select range as i, format('{:04d}', range) as note, json_array(note) as listed, "
        "{'part': note} as nested, date '2020-01-01' + range::integer as day from range(1000, 4000)"
    )
    write("alter table t drop column day")
    for column in ("note", "listed", "nested"):
        write(f"update t set {column} = case when i not in (1000, 3999) then {column} end")
    Warehouse().erase()
    bounds = "select min_value, max_value from __ducklake_metadata_lake.sandbox.ducklake_table_column_stats"
    texts = {("1001", "3998"), ('["1001"]', '["3998"]')}
    assert {pair for pair in read(bounds) if pair in texts or "3999" in str(pair)} == {("1000", "3999"), *texts}
    assert written_with("2022-09-27", lake) == 0  # the first day


@pytest.mark.long
@pytest.mark.usefixtures("lake")
def test_a_readers_open_transaction_does_not_delay_maintenance() -> None:
    with rows_in_the_catalog(10):
        write("create table earlier as select 1 as i")
        write("alter table earlier add column more bigint")
    configured_lake().maintain()
    for statement in ("create table t as select 1 as i", "alter table t add column more bigint", "delete from t"):
        write(statement)
    with Warehouse().read_connection() as connection:
        connection.execute("begin")
        for table, rows in {"earlier": [(1, None)], "t": []}.items():
            assert connection.execute(f"from {table}").fetchall() == rows
        maintenance = threading.Thread(target=lambda: configured_lake().maintain(), daemon=True)
        maintenance.start()
        maintenance.join(60)
        assert not maintenance.is_alive()
        write("insert into t values (2, 2)")


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_catalog_does_not_grow_with_the_number_of_syncs(
    lake: dict[str, str], monkeypatch: pytest.MonkeyPatch, data_dir: Path, request: pytest.FixtureRequest
) -> None:
    last = 100 if request.config.getoption("--warehouse") == "lake" else 20  # a hundred take minutes
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(data_dir / "files"))
    tables = {}
    with configured_crm(lists={"open_tasks": tasks(3)}) as crm:
        for number in range(1, last + 1):
            crm.lists["open_tasks"] = tasks(3 + number)
            assert materialize("open_tasks").success
            if number in {10, last}:
                tables[number] = catalog_tables(lake)
        assert read("select count(*) from raw.open_tasks") == [(3 + last,)]
        numbers = configured_lake().maintain()
    assert tables[last] == tables[10]
    assert numbers["files"] < numbers["files before"] / 3


def catalog_tables(lake: dict[str, str]) -> set[str]:
    """The tables in a lake's database."""
    with psycopg.connect(dsn_of(lake["CRM_WAREHOUSE"])) as connection:
        return {name for (name,) in connection.execute("select relname from pg_class where relkind = 'r'").fetchall()}


@contextmanager
def rows_in_the_catalog(most: int) -> Iterator[None]:
    """Writes like earlier versions of the project, which left statements of up to ten rows in the catalog."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("crm_assets.warehouse.lake.backend.NOTHING_INLINED", f"data_inlining_row_limit {most}")
        yield


def written_with(note: str, lake: dict[str, str]) -> int:
    """How many files, or rows of files or of the catalog, contain a text."""
    return sum(note in text for text in lake_texts(lake))
