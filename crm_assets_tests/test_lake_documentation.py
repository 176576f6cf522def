"""What docs/lake.md tells readers of a lake, and those who move its files, run as it stands but for addresses."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import psycopg
import pytest

from crm_assets.warehouse.lake.address import EXTENSIONS, connected_with
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.lake_servers import HOST, LakeServers, postgres_folder
from crm_assets_tests.warehouse.statements import probe, read, write

pytestmark = pytest.mark.long

CHECKOUT = Path(__file__).parents[1]
SECTION = (CHECKOUT / "docs/lake.md").read_text("utf-8").split("\n## More than one machine\n")[1].split("\n## ")[0]
ROLE, SECRET, QUERIES = re.findall(r"```sql\n(.*?)```", SECTION, re.DOTALL)
_, MOVE = re.findall(r"```console\n(.*?)```", SECTION, re.DOTALL)
A_WEEK_AGO = "update ducklake_snapshot set snapshot_time = snapshot_time - interval '7 days'"


@pytest.fixture
def database(servers: LakeServers) -> Iterator[str]:
    """The connection string of the catalog's database, with the documented name."""
    with psycopg.connect(servers.dsn("postgres"), autocommit=True) as connection:
        connection.execute("drop database if exists lake with (force)")  # left if another test was stopped
        connection.execute("create database lake")
        yield servers.dsn("lake")
        connection.execute("drop database lake with (force)")
        connection.execute("drop role if exists reader")


@pytest.fixture(params=["bucket", "folder"])
def a_lake(
    request: pytest.FixtureRequest, servers: LakeServers, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The settings of a CRM with a lake, in a bucket or in a folder, and a mart from the day before yesterday."""
    settings = servers.new_lake() | {
        "CRM_WAREHOUSE": f"ducklake:postgres:{database}",
        "SOURCES__CRM__BASE_URL": "https://crm.example",
        "SOURCES__CRM__API_KEY": "key",
        "PGHOSTADDR": HOST,
        "PGPORT": str(servers.postgres_port),
    }
    if request.param == "folder":
        settings["CRM_WAREHOUSE_FILES"] = str(tmp_path / "srv")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    write("create schema marts; create table marts.account_overview as select 1 as i")
    write("create view marts.shown as from marts.account_overview")
    with psycopg.connect(database) as connection:
        connection.execute(A_WEEK_AGO)
    return str(request.param)


def test_read_only_role_reads_with_the_documented_statements(a_lake: str, database: str, servers: LakeServers) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(ROLE.encode())
    write("create table marts.later as select 3 as i; insert into marts.account_overview values (2)")
    with closing(connected_with(EXTENSIONS, {})) as connection:
        if a_lake == "bucket":
            connection.execute(SECRET.replace("storage:9000", f"{HOST}:{servers.s3_port}"))
        attach, now, yesterday = QUERIES.strip().splitlines()
        connection.execute(attach)
        assert sorted(connection.execute(now).fetchall()) == [(1,), (2,)]
        assert connection.execute(yesterday).fetchall() == [(1,)]
        assert connection.execute("from lake.marts.later").fetchall() == [(3,)]
        assert sorted(connection.execute("from lake.marts.shown").fetchall()) == [(1,), (2,)]
    with closing(connected_with(EXTENSIONS, {})) as connection:
        connection.execute(attach.replace(" (read_only)", ""))
        with pytest.raises(duckdb.Error, match="permission denied"):
            connection.execute("create schema lake.theirs")


@pytest.mark.parametrize("a_lake", ["folder"], indirect=True)
@pytest.mark.usefixtures("a_lake")
def test_files_are_moved_with_the_documented_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGUSER", "crm")
    monkeypatch.setenv("PATH", str(postgres_folder()), prepend=":")
    before, after = str(tmp_path / "srv"), str(tmp_path / "mnt")
    commands = MOVE.replace("/srv/lake", before).replace("/mnt/lake", after)
    subprocess.run(["bash", "-euc", commands], cwd=tmp_path, check=True)
    Path(before).rename(tmp_path / "removed")
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", after)
    write("insert into marts.account_overview values (2)")
    probe()
    Warehouse().erase()
    assert sorted(read("from marts.account_overview")) == [(1,), (2,)]
