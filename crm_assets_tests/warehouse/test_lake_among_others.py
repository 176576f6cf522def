"""A lake whose catalog or files are somebody else's, may only be read, do not exist, or are behind a pooler."""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crm_assets.errors import WarehouseError, WarehouseUnreachable
from crm_assets.sandbox.server import serving
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.lake_servers import HOST, LakeServers, dsn_of, free_port, unprivileged
from crm_assets_tests.scripted_crm import configured_crm, tasks
from crm_assets_tests.warehouse.statements import configured_lake, probe, read, write
from crm_assets_tests.warehouse.storage_proxy import storage_proxy

pytestmark = pytest.mark.slow


@pytest.fixture(params=["bucket", "folder"])
def files(request: pytest.FixtureRequest, lake: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the configured lake keeps its files."""
    if request.param == "folder":
        monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(tmp_path / "files"))
        return str(tmp_path / "files")
    return lake["CRM_WAREHOUSE_FILES"]


@pytest.mark.long
@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    "use",
    [lambda: Warehouse().erase(), lambda: configured_lake().maintain(), probe],
    ids=["erase", "maintain", "probe"],
)
def test_files_of_another_lake_are_refused_before_writing(
    use: Callable[[], object], lake: dict[str, str], servers: LakeServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("create table t as select 1 as i")
    monkeypatch.setenv("CRM_WAREHOUSE", servers.new_lake()["CRM_WAREHOUSE"])
    with pytest.raises(WarehouseError, match=r"another catalog.*CRM_WAREHOUSE_FILES.*Nothing was written"):
        use()
    assert catalog_tables(os.environ["CRM_WAREHOUSE"]) == []
    monkeypatch.setenv("CRM_WAREHOUSE", lake["CRM_WAREHOUSE"])
    assert read("from t") == [(1,)]


@pytest.mark.parametrize("within", ["missing/..", "sandbox"])
def test_files_in_or_within_another_lakes_folder_are_refused(
    within: str, files: str, servers: LakeServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("create table t as select 1 as i")
    other = files if "://" in files and ".." in within else f"{files}/{within}"
    monkeypatch.setenv("CRM_WAREHOUSE", servers.new_lake()["CRM_WAREHOUSE"])
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", other)
    with pytest.raises(WarehouseError, match=r"another catalog.*Nothing was written"):
        probe()


def test_files_around_another_lakes_folder_are_refused(
    files: str, lake: dict[str, str], servers: LakeServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", f"{files}/sandbox")
    write("create table t as select 1 as i")
    monkeypatch.setenv("CRM_WAREHOUSE", servers.new_lake()["CRM_WAREHOUSE"])
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", files)
    with pytest.raises(WarehouseError, match=r"another catalog.*Nothing was written"):
        Warehouse().erase()
    monkeypatch.setenv("CRM_WAREHOUSE", lake["CRM_WAREHOUSE"])
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", f"{files}/sandbox")
    assert read("from t") == [(1,)]


@pytest.mark.long
@pytest.mark.usefixtures("lake")
def test_two_lakes_that_shared_files_before_are_found_out(
    data_dir: Path, servers: LakeServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(data_dir / "files"))
    [first, second] = (servers.new_lake()["CRM_WAREHOUSE"] for _ in range(2))
    for address in (first, second):
        monkeypatch.setenv("CRM_WAREHOUSE", address)
        write("create table t as select 1 as i")
        (data_dir / "files/sandbox/crm_assets_lake.json").unlink()  # earlier versions had none
    write("insert into t values (2)")
    monkeypatch.setenv("CRM_WAREHOUSE", first)
    with pytest.raises(WarehouseError, match=r"another lake.*CRM_WAREHOUSE_FILES.*Nothing was written"):
        Warehouse().erase()


@pytest.mark.long
def test_a_buckets_typo_creates_no_catalog(lake: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with configured_crm(lists={"open_tasks": tasks(3)}) as crm:
        monkeypatch.setenv("CRM_WAREHOUSE_FILES", "s3://crn/lake")
        failure = materialize("open_tasks").failure("open_tasks")
        assert "s3://crn/lake" in failure
        assert "Create the bucket, or correct CRM_WAREHOUSE_FILES" in failure
        assert crm.seen == []
        assert catalog_tables(lake["CRM_WAREHOUSE"]) == []
        monkeypatch.setenv("CRM_WAREHOUSE_FILES", lake["CRM_WAREHOUSE_FILES"])
        assert materialize("open_tasks").success


@pytest.mark.long
@pytest.mark.usefixtures("files")
def test_other_files_than_the_catalog_has_are_explained(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    write("create table t as select 1 as i")
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(data_dir / "elsewhere"))
    with pytest.raises(WarehouseError, match=r"Set CRM_WAREHOUSE_FILES.*docs/lake.md"):
        probe()
    assert not (data_dir / "elsewhere").exists()


@pytest.mark.long
@pytest.mark.parametrize(
    ("right", "message"),
    [("select", "The role in CRM_WAREHOUSE may only read"), ("all", "permission denied for schema public")],
    ids=["reads only", "creates no table"],
)
def test_role_without_a_right_is_an_error_before_any_request(
    right: str, message: str, lake: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with configured_crm(lists={"open_tasks": tasks(3)}) as crm:
        assert materialize("open_tasks").success
        crm.seen.clear()
        with psycopg.connect(dsn_of(lake["CRM_WAREHOUSE"])) as connection:
            connection.execute(f"drop role if exists with_{right}")
            connection.execute(f"create role with_{right} login")
            connection.execute(f"grant {right} on all tables in schema public to with_{right}")
        monkeypatch.setenv("CRM_WAREHOUSE", lake["CRM_WAREHOUSE"].replace("user=crm", f"user=with_{right}"))
        run = materialize("open_tasks")
        assert message in run.failure("open_tasks")
        assert run.attempts("open_tasks") == 1
        assert crm.seen == []
        assert read("select count(*) from raw.open_tasks") == [(3,)]


def test_long_statements_of_duckdb_hide_no_reason(lake: dict[str, str]) -> None:
    write("create table t as select 1 as i")
    database = dsn_of(lake["CRM_WAREHOUSE"]).rpartition("dbname=")[2]
    with psycopg.connect(dsn_of(lake["CRM_WAREHOUSE"])) as connection:
        connection.execute(f"alter database {database} set lock_timeout = '100ms'".encode())
        connection.commit()
        connection.execute("lock table pg_enum")
        with pytest.raises(WarehouseUnreachable, match="a query: ERROR: canceling statement due to lock timeout"):
            read("from t")


@pytest.mark.long
@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize(
    ("methods", "words"), [({"PUT", "POST"}, "AWS_ACCESS_KEY_ID"), ({"DELETE"}, "delete and list objects")]
)
def test_storage_that_refuses_is_found_before_the_first_request(methods: set[str], words: str) -> None:
    with configured_crm(lists={"open_tasks": tasks(3)}) as crm:
        assert materialize("open_tasks").success
        crm.seen.clear()
        with storage_proxy(lambda method: 403 if method in methods else None):
            failure = materialize("open_tasks").failure("open_tasks")
        assert words in failure
        assert crm.seen == []
        assert materialize("open_tasks").success  # whatever file was left


@pytest.mark.usefixtures("lake")
def test_another_region_is_not_asked_again() -> None:
    with storage_proxy(lambda _: 301), pytest.raises(WarehouseUnreachable, match="AWS_REGION") as raised:
        probe()
    assert not raised.value.may_recover


@pytest.mark.usefixtures("lake")
def test_a_console_in_place_of_the_storage_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def page(_: Request) -> Response:
        return Response("<html>Log in</html>")

    with serving(Starlette(routes=[Route("/{path:path}", page)])) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(WarehouseError, match="AWS_ENDPOINT_URL is the address of an S3 API"):
            probe()


@pytest.mark.long
@pytest.mark.usefixtures("lake")
def test_check_sends_as_many_requests_for_any_number_of_files() -> None:
    sent: list[int] = []
    for table in ("t", "u"):
        with Warehouse().get_connection() as connection:
            connection.execute(f"create table {table} as select 1 as i")
            for i in range(20 * len(sent)):
                connection.execute(f"insert into {table} values ({i})")
        with storage_proxy(lambda _: None) as seen:
            probe()
        sent.append(len(seen))
    assert sent[0] == sent[1] > 0


@pytest.mark.parametrize("mode", ["transaction", "transaction\nserver_round_robin = 1", "session"])
def test_a_pooler_in_transaction_mode_is_named(
    mode: str, lake: dict[str, str], servers: LakeServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pgbouncer(mode, servers) as port:
        address = lake["CRM_WAREHOUSE"].replace(f"port={servers.postgres_port}", f"port={port}")
        monkeypatch.setenv("CRM_WAREHOUSE", address)
        with ExitStack() as others:  # at the same time, so that the pooler has as many sessions
            for _ in range(3):
                others.enter_context(psycopg.connect(dsn_of(address))).execute("select 1")
        if mode == "session":
            write("create table t as select 1 as i")
            assert read("from t") == [(1,)]
            return
        with pytest.raises(WarehouseUnreachable, match="pooler in transaction mode") as raised:
            probe()
    assert not raised.value.may_recover


SESSIONS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


def test_a_process_holds_two_sessions_of_the_catalog(lake: dict[str, str]) -> None:
    with Warehouse().get_connection() as connection, psycopg.connect(dsn_of(lake["CRM_WAREHOUSE"])) as catalog:
        connection.execute("create table t as select 1 as i")
        assert connection.execute("from t").fetchall() == [(1,)]
        assert catalog.execute(SESSIONS).fetchall() == [(2,)]


@pytest.mark.long
def test_a_process_has_a_third_session_for_moments_at_most(lake: dict[str, str]) -> None:
    write("create table t as select 1 as i")
    most, is_over = [0], threading.Event()

    def count() -> None:
        with psycopg.connect(dsn_of(lake["CRM_WAREHOUSE"]), autocommit=True) as connection:
            while not is_over.wait(0.005):
                [[number]] = connection.execute(SESSIONS).fetchall()
                most[0] = max(most[0], number)

    counting = threading.Thread(target=count)
    counting.start()
    try:
        with configured_crm(lists={"open_tasks": tasks(70), "accounts": tasks(30)}):
            assert materialize("open_tasks", "accounts").success
            configured_lake().maintain()
            Warehouse().erase()
    finally:
        is_over.set()
        counting.join()
    assert most[0] <= 3  # locks or the count of requests, and DuckDB's


@contextmanager
def pgbouncer(mode: str, servers: LakeServers) -> Iterator[int]:
    """A pooler before the PostgreSQL server, at a port."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed: apt-get install pgbouncer")
    port = free_port()
    home = Path(tempfile.mkdtemp(prefix="crm_pgbouncer_", dir="/tmp"))  # a folder that its user can access
    (home / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={HOST} port={servers.postgres_port} user=crm\n"
        f"[pgbouncer]\nlisten_addr = {HOST}\nlisten_port = {port}\nauth_type = any\nunix_socket_dir =\n"
        f"pool_mode = {mode}\nignore_startup_parameters = extra_float_digits\n"
    )
    process = subprocess.Popen([program, str(home / "pgbouncer.ini")], stderr=subprocess.DEVNULL, **unprivileged(home))
    try:
        for _ in range(100):
            with (
                suppress(psycopg.OperationalError),
                psycopg.connect(f"host={HOST} port={port} user=crm dbname=postgres"),
            ):
                break
            time.sleep(0.1)
        yield port
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(home)


def catalog_tables(address: str) -> list[Any]:
    """DuckLake's tables in a lake's database."""
    with psycopg.connect(dsn_of(address)) as connection:
        return connection.execute("select relname from pg_class where relname like 'ducklake%'").fetchall()
