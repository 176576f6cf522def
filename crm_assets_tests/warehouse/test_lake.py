"""The lake: the analysts' tables as one state after the other, for readers anywhere. Its catalog here is a file."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import duckdb
import pytest
from dagster import AssetKey

from crm_assets.definitions import defs
from crm_assets.warehouse.lake import Lake, LakeError
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import configured_crm, tasks

pytestmark = pytest.mark.slow

COUNT = "select count(*) from lake.staging.stg_open_tasks"


@pytest.fixture(autouse=True)
def extensions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home with DuckDB's extension, as it would be downloaded on the first use."""
    monkeypatch.setenv("HOME", str(tmp_path))
    [extension] = Path(str(files("duckdb_extension_ducklake"))).rglob("*.duckdb_extension")
    with duckdb.connect() as connection:
        connection.execute(f"install '{extension}'")


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a configured lake that does not exist yet."""
    address = f"ducklake:{tmp_path / 'crm.ducklake'}"
    monkeypatch.setenv("CRM_LAKE", address)
    monkeypatch.setenv("CRM_LAKE_FILES", str(tmp_path / "lake's files"))
    return address


@pytest.fixture
def a_crm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of a CRM that is no sandbox. Nothing is asked of it."""
    monkeypatch.setenv("SOURCES__CRM__BASE_URL", "https://crm.example")
    monkeypatch.setenv("SOURCES__CRM__API_KEY", "key")


@contextmanager
def reader(address: str, state: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
    """Somebody who reads the lake, and knows nothing of the project."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{address}' as lake (read_only{state})")
        yield connection


def sync_open_tasks() -> bool:
    """A run that reads the tasks and builds their staging view; whether it succeeded."""
    selection = [AssetKey(["raw", "open_tasks"]), AssetKey(["staging", "stg_open_tasks"])]
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(asset_selection=selection, raise_on_error=False).success


def published(sql: str) -> None:
    """A database that holds what the statements make, published."""
    warehouse = Warehouse()
    with warehouse.get_connection() as connection:
        connection.execute(sql)
    warehouse.publish()
    warehouse.publish_to_lake()


def test_a_run_ends_with_its_views_and_tables_in_the_lake(address: str) -> None:
    with configured_crm(lists={"open_tasks": tasks(70)}) as crm:
        assert sync_open_tasks()
        with reader(address) as early:
            assert early.execute(COUNT).fetchall() == [(70,)]
        crm.lists["open_tasks"] = tasks(75)
        assert sync_open_tasks()
    with reader(address) as late:
        assert late.execute(COUNT).fetchall() == [(75,)]


@pytest.mark.usefixtures("a_crm")
def test_values_are_the_same_in_the_lake(address: str) -> None:
    select = (
        "select 1450348061427834880 as id, 7700.1::decimal(38,9) as amount, '{\"cf\": [1, null]}'::json as fields, "
        "timestamptz '2026-01-01T00:00:00.000001Z' as at, date '2026-01-01' as day, null::boolean as unknown"
    )
    published(f"create schema marts; create table marts.values as {select}")
    with reader(address) as connection:
        assert connection.execute(f"from lake.marts.values except ({select})").fetchall() == []
        assert connection.execute("select count(*) from lake.marts.values").fetchall() == [(1,)]


@pytest.mark.usefixtures("a_crm")
def test_a_table_that_is_gone_leaves_the_lake_and_can_be_read_as_it_was(address: str) -> None:
    published("create schema marts; create table marts.old as select 1 as i")
    published("drop table marts.old; create table marts.new as select 2 as i")
    with reader(address) as connection:
        assert connection.execute("select table_name from information_schema.tables").fetchall() == [("new",)]
        [[first]] = connection.execute(
            "select min(snapshot_id) from ducklake_snapshots('lake') where snapshot_id > 0"
        ).fetchall()
    with reader(address, f", snapshot_version {first}") as before:
        assert before.execute("select i from lake.marts.old").fetchall() == [(1,)]


@pytest.mark.usefixtures("a_crm")
def test_names_with_quotes_and_the_views_of_others_are_no_hindrance(address: str) -> None:
    published('create schema marts; create table marts."a ""b""" as select 1 as i')
    with duckdb.connect() as connection:
        connection.execute(f"attach '{address}' as lake; create view lake.marts.theirs as select 1 as i")
    published('create table marts."c" as select 2 as i')
    with reader(address) as connection:
        tables = connection.execute("select table_name from information_schema.tables order by all").fetchall()
    assert tables == [('a "b"',), ("c",), ("theirs",)]


@pytest.mark.usefixtures("a_crm")
def test_raw_tables_stay_where_they_are(address: str) -> None:
    published("create schema raw; create table raw.t as select 1 as i")
    published("create schema marts; create table marts.t as from raw.t")
    with reader(address) as connection:
        assert connection.execute("select table_schema from information_schema.tables").fetchall() == [("marts",)]


@pytest.mark.usefixtures("a_crm")
def test_runs_that_end_at_the_same_time_come_one_after_the_other(address: str) -> None:
    published("create schema marts; create table marts.t as select 1 as i")
    threads = [threading.Thread(target=Warehouse().publish_to_lake) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reader(address) as connection:
        assert connection.execute("select count(*) from ducklake_snapshots('lake')").fetchall() == [(1 + 1 + 4,)]


def test_generated_records_never_get_there(address: str) -> None:
    published("create schema marts; create table marts.t as select 1 as i")
    assert not Path(address.removeprefix("ducklake:")).exists()


def test_a_lake_out_of_reach_fails_no_run_and_its_password_is_not_told(
    monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    monkeypatch.setenv("CRM_LAKE", "ducklake:/nowhere/password=hush")
    with configured_crm(lists={"open_tasks": tasks(3)}):
        assert sync_open_tasks()
    [warning] = [message for message in told if "lake" in message]
    assert warning.startswith("The lake stays as it was: ")
    assert "hush" not in warning


@pytest.mark.parametrize(
    ("address", "files"),
    [
        pytest.param("ducklake:postgres:dbname=lake password=hush host=db", "", id="in a connection string"),
        pytest.param("ducklake:postgres:dbname=lake password = 'hush' host=db", "", id="quoted"),
        pytest.param("ducklake:postgres:postgresql://me:hush@db/lake", "", id="in a URL"),
        pytest.param("ducklake:crm.ducklake", "s3://bucket/crm?s3_secret_access_key=hush", id="in the files' place"),
    ],
)
def test_no_message_tells_a_password(address: str, files: str) -> None:
    quoted = address.removeprefix("ducklake:postgres:")
    told = Lake(address, files).without_secrets(f'Unable to connect to Postgres at "{quoted}", {files}: no route')
    assert "hush" not in told
    assert "no route" in told


@pytest.mark.usefixtures("a_crm")
def test_an_address_that_is_none_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_LAKE", "postgres:dbname=lake")
    with pytest.raises(LakeError, match="CRM_LAKE must begin with ducklake:"):
        Warehouse().publish_to_lake()
