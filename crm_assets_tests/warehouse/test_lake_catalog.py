"""A connection to a lake's catalog that breaks, or cannot be made, loses nothing."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Thread

import duckdb
import psycopg
import pytest

from crm_assets.__main__ import main
from crm_assets.assets.failures import explain
from crm_assets.errors import CommitUnconfirmed, WarehouseUnreachable
from crm_assets.runner.builds import AUDIT, build
from crm_assets.warehouse.duckdb_messages import reason
from crm_assets.warehouse.lake.address import LakeAddress, explained
from crm_assets.warehouse.tables import with_parquet_types
from crm_assets.warehouse.transactions import committed
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.lake_servers import LakeServers, dsn_of
from crm_assets_tests.runner.model_project import ModelProject
from crm_assets_tests.runner.test_configured_tests import DAYS, with_test
from crm_assets_tests.scripted_crm import configured_crm, tasks
from crm_assets_tests.warehouse.catalog_proxy import CatalogProxy, catalog_proxy
from crm_assets_tests.warehouse.statements import END_OTHERS, read, write

pytestmark = pytest.mark.slow


@pytest.fixture(params=["bucket", "folder"])
def proxy(
    request: pytest.FixtureRequest,
    servers: LakeServers,
    lake: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[CatalogProxy]:
    """Stands between a lake in a bucket, or in a folder, and its catalog."""
    if request.param == "folder":
        monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(tmp_path / "the lake's files"))
    with catalog_proxy(servers.postgres_port) as proxy:
        address = lake["CRM_WAREHOUSE"].replace(f"port={servers.postgres_port}", f"port={proxy.port}")
        monkeypatch.setenv("CRM_WAREHOUSE", address)
        yield proxy


@pytest.mark.long
def test_what_was_committed_can_be_read(proxy: CatalogProxy) -> None:
    write("create table t as select i from range(1000) r(i)")
    with Warehouse().get_connection() as connection:

        def replace_a_half() -> None:
            connection.execute("delete from t where i < 500")
            connection.execute("insert into t select i + 5000 from range(500) r(i)")
            proxy.lose_answer_of_commit(1)

        with pytest.raises(CommitUnconfirmed) as raised:
            committed(connection, replace_a_half)
    assert raised.value.may_recover
    assert "server closed the connection" in str(raised.value)
    assert "insert" not in str(raised.value).lower()
    assert read("select count(*), min(i), max(i) from t") == [(1000, 500, 5499)]


@pytest.mark.long
def test_a_load_is_tried_again_whichever_commit_was_not_answered(proxy: CatalogProxy) -> None:
    for number in count(1):
        total = 300 + number
        with configured_crm(lists={"open_tasks": tasks(total)}):
            proxy.lose_answer_of_commit(number)
            run = materialize("open_tasks")
            assert run.success
            assert read("select count(*), count(distinct id) from raw.open_tasks") == [(total, total)]
        if proxy.countdown:  # the run had fewer commits
            break
        assert run.attempts("open_tasks") > 1
    assert number > 1


def maintain(warehouse: Warehouse) -> object:
    return warehouse.lake and warehouse.lake.maintain()


@pytest.mark.long
@pytest.mark.parametrize(
    ("proxy", "kind"),
    [
        pytest.param("bucket", maintain, id="bucket-maintain"),
        pytest.param("folder", Warehouse.erase, id="folder-erase"),
        pytest.param("bucket", Warehouse.erase, id="bucket-erase"),
        pytest.param("folder", maintain, id="folder-maintain"),
    ],
    indirect=["proxy"],
)
def test_maintenance_loses_nothing(kind: Callable[[Warehouse], object], proxy: CatalogProxy) -> None:
    write("create table t as select i from range(1000) r(i)")
    for first in range(1000, 5000, 1000):
        write(f"insert into t select i from range({first}, {first} + 1000) r(i)")
    write("insert into t values (5000)")
    write("delete from t where i % 100 <> 0")
    for number in count(1):
        proxy.lose_answer_of_commit(number)
        with suppress(CommitUnconfirmed):
            kind(Warehouse())
        assert read("select count(*), count(distinct i) from t") == [(51, 51)]
        if proxy.countdown:
            break
    assert number > 1


@pytest.mark.parametrize("proxy", ["folder"], indirect=True)
def test_a_new_address_can_be_read_whose_commit_was_not_answered(
    proxy: CatalogProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    with configured_crm(lists={"open_tasks": tasks(3)}):
        assert materialize("open_tasks").success
    with configured_crm(lists={"open_tasks": tasks(5)}):
        proxy.lose_answer_of_commit(1)
        assert main(["accept-address"]) == 1
        assert "did not confirm the commit" in capsys.readouterr().err
        assert main(["accept-address"]) == 0
        assert materialize("open_tasks").success
        assert read("select count(*) from raw.open_tasks") == [(5,)]


@pytest.mark.parametrize("proxy", ["folder"], indirect=True)
def test_stored_failures_can_be_read_whose_commit_was_not_answered(proxy: CatalogProxy, tmp_path: Path) -> None:
    model = ModelProject(tmp_path / "models").mart(DAYS, with_test({"severity": "warn", "store_failures": True}))
    with Warehouse().get_connection() as connection:
        proxy.lose_answer_of_commit(2)  # the first is that of the build
        with pytest.raises(CommitUnconfirmed):
            build(connection, model)
    assert read(f"select count(*) from {AUDIT}.sales_day_accepted_range") == [(3,)]


@pytest.mark.long
@pytest.mark.parametrize("proxy", ["bucket"], indirect=True)
def test_a_catalog_that_does_not_answer_is_tried_again(proxy: CatalogProxy) -> None:
    proxy.refusals = 2
    with configured_crm(lists={"open_tasks": tasks(3)}):
        run = materialize("open_tasks")
        assert run.success
        assert run.attempts("open_tasks") > 1
        assert read("select count(*) from raw.open_tasks") == [(3,)]


def test_a_statement_without_a_catalog_is_tried_again() -> None:
    error = duckdb.IOException(
        'Failed to query most recent snapshot for DuckLake: Unable to connect to Postgres at "host=db dbname=lake": '
        "FATAL: the database system is shutting down"
    )
    found = explain(error, "accounts")
    assert found.may_recover
    assert "CRM_WAREHOUSE and" in found.message


def test_a_lost_catalog_is_not_looked_for_among_the_files() -> None:
    lost = duckdb.IOException('Failed to prepare COPY "COPY (SELECT …)": server closed the connection unexpectedly')
    address = LakeAddress.of("ducklake:postgres:host=db dbname=lake", "/srv/lake", "")
    with (
        pytest.raises(WarehouseUnreachable, match=r"^ducklake:postgres.*Check CRM_WAREHOUSE, ") as raised,
        explained(address, "CRM_WAREHOUSE_FILES"),
    ):
        raise lost
    assert raised.value.may_recover


def test_a_transaction_is_aborted_in_a_lake_if_its_session_was_lost() -> None:
    error = duckdb.TransactionException(
        "TransactionContext Error: Failed to get data file list from DuckLake: Current transaction is aborted (please "
        "ROLLBACK)"
    )
    assert "PostgreSQL has ended a session" in explain(error, "accounts").message
    own = duckdb.TransactionException("TransactionContext Error: Current transaction is aborted (please ROLLBACK)")
    assert "PostgreSQL" not in explain(own, "accounts").message


def test_the_end_of_a_transaction_names_the_session_that_was_lost(lake: dict[str, str]) -> None:
    write("create table a as select 1 as x")
    with Warehouse().read_connection() as connection:
        connection.execute("begin; from a")
        with psycopg.connect(dsn_of(lake["CRM_WAREHOUSE"]), autocommit=True) as other:
            other.execute(END_OTHERS)
        for statement in ("from a", "rollback"):
            with pytest.raises(duckdb.Error) as raised:
                connection.execute(statement).fetchall()
            assert "PostgreSQL has ended a session" in reason(raised.value)


def test_catalog_that_ends_while_parquet_is_written_is_named(
    lake: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write("create table a as select 1 as x")
    write("create table b as select 1 as x")

    def selected(connection: duckdb.DuckDBPyConnection, relation: str, replaced: Mapping[str, str]) -> str:
        if "b" in relation:
            with psycopg.connect(dsn_of(lake["CRM_WAREHOUSE"]), autocommit=True) as other:
                other.execute(END_OTHERS)
        return with_parquet_types(connection, relation, replaced)

    monkeypatch.setattr("crm_assets.warehouse.copies.with_parquet_types", selected)
    assert main(["publish", "--parquet", str(tmp_path / "published")]) == 1
    ended = "PostgreSQL has ended a session of the lake's catalog. Check that it runs, and run this again"
    assert capsys.readouterr().err.splitlines()[-1].endswith(ended)
    assert [path.name for path in (tmp_path / "published").iterdir()] == [".lock"]


def ask_for_passwords(server: socket.socket) -> None:
    """Answers each client of PostgreSQL that it has to send a password."""
    with suppress(OSError):  # the server is closed
        while True:
            client, _ = server.accept()
            with client:
                while client.recv(1024)[4:6] == b"\x04\xd2":  # asks for encryption
                    client.send(b"N")
                client.send(b"R\0\0\0\x08\0\0\0\x03")
                client.recv(1024)


def test_catalog_that_wants_a_password_is_not_tried_again(
    lake: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lake
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "missing"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("CRM_WAREHOUSE", f"ducklake:postgres:host=127.0.0.1 port={server.getsockname()[1]} user=crm")
        Thread(target=ask_for_passwords, args=[server], daemon=True).start()
        with configured_crm(lists={"open_tasks": tasks(3)}):
            run = materialize("open_tasks")
    assert run.attempts("open_tasks") == 1
    assert "no password supplied" in run.failure("open_tasks")


@pytest.mark.parametrize("proxy", ["bucket"], indirect=True)
def test_a_catalog_that_refuses_is_not_tried_again(proxy: CatalogProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_WAREHOUSE", f"ducklake:postgres:host=127.0.0.1 port={proxy.port} user=crm dbname=missing")
    with configured_crm(lists={"open_tasks": tasks(3)}):
        run = materialize("open_tasks")
    assert run.attempts("open_tasks") == 1
    assert 'database "missing" does not exist' in run.failure("open_tasks")
