"""The commands for backup and restore in docs/backup.md, run as they are: nothing is lost, and reads go on."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import AssetKey, DagsterInstance

from crm_assets.definitions import defs
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.lake_servers import HOST, LakeServers, postgres_folder
from crm_assets_tests.scripted_crm import ScriptedCrm, configured_crm

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

CHECKOUT = Path(__file__).parents[1]
SECTION = (CHECKOUT / "docs" / "backup.md").read_text("utf-8").split("\n## Backup\n")[1].split("\n## ")[0]
BACKUP, HISTORY, RESTORE, BACKUP_OF_LAKE, RESTORE_OF_LAKE = re.findall(r"```console\n(.*?)```", SECTION, re.DOTALL)


def account(id_: int, day: int, name: str) -> dict[str, Any]:
    return {"id": id_, "name": name, "updated_at": f"2026-01-{day:02}T00:00:00Z"}


@pytest.fixture
def crm() -> Iterator[ScriptedCrm]:
    """A CRM that has two accounts."""
    with configured_crm(lists={"accounts": [account(1, 1, "Stays"), account(2, 1, "Vanishes")]}) as crm:
        yield crm


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the checkout."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / ".dagster").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / ".dagster"))
    return tmp_path


def build(*assets: str) -> str:
    """Reads and builds some assets: the run's id."""
    keys = [AssetKey(asset.split("/")) for asset in assets]
    with DagsterInstance.get() as instance:
        job = defs.resolve_job_def("crm_full_refresh")
        return job.execute_in_process(instance=instance, asset_selection=keys).run_id


def follow(commands: str, folder: Path) -> None:
    """Runs documented commands."""
    subprocess.run(["bash", "-euc", commands], cwd=folder, check=True)


def change(crm: ScriptedCrm) -> None:
    """What happens between the backup and the day on which it is needed."""
    crm.lists["accounts"] = [account(1, 20, "Changed"), account(3, 20, "New")]
    crm.seen.clear()


def names(schema: str) -> list[str]:
    """The names of the accounts that are stored, or that are present."""
    with Warehouse().read_connection() as connection:
        return [name for (name,) in connection.execute(f"select name from {schema}.accounts order by name").fetchall()]


def reads() -> list[tuple[str, int]]:
    """Mode and number of the reads of accounts, as the sync log has them."""
    with Warehouse().read_connection() as connection:
        counted = "select mode, count(*) from raw.sync_log where resource = 'accounts' group by mode order by mode"
        return connection.execute(counted).fetchall()


def test_reads_continue_from_a_restored_file(crm: ScriptedCrm, project: Path) -> None:
    build("raw/accounts")
    crm.lists["accounts"].pop()
    run = build("raw/accounts", "published/database")
    follow(BACKUP + HISTORY, project)
    change(crm)
    shutil.rmtree(project / "data")
    shutil.rmtree(project / ".dagster")
    follow(RESTORE, project)
    assert names("raw") == ["Changed", "New", "Vanishes"]
    assert names("present") == ["Changed", "New"]
    assert reads() == [("full", 2), ("incremental", 1)]
    assert crm.pages("accounts") == [1, 2]
    with DagsterInstance.get() as instance:
        assert run in [each.run_id for each in instance.get_runs()]


@pytest.mark.usefixtures("crm")
def test_a_backup_can_be_made_while_a_run_has_the_database(project: Path) -> None:
    build("raw/accounts", "published/database")
    with Warehouse().get_connection() as connection:
        connection.execute("begin; delete from raw.accounts")
        follow(BACKUP, project)
    with duckdb.connect(str(project / "backup" / "crm.duckdb"), read_only=True) as copy:
        assert copy.execute("select count(*) from raw.accounts").fetchall() == [(2,)]


def test_reads_continue_from_a_restored_lake(
    crm: ScriptedCrm, project: Path, servers: LakeServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = project / "files"
    monkeypatch.setenv("CRM_WAREHOUSE", f"ducklake:postgres:{servers.dsn('lake')}")
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(files))
    for name, value in {"PGHOST": HOST, "PGPORT": str(servers.postgres_port), "PGUSER": "crm"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", str(postgres_folder()), prepend=":")
    follow("createdb lake", project)
    build("raw/accounts")
    crm.lists["accounts"].pop()
    build("raw/accounts")
    follow(BACKUP_OF_LAKE.replace("/srv/lake", str(files)), project)
    change(crm)
    shutil.rmtree(files)
    follow("dropdb lake", project)
    follow(RESTORE_OF_LAKE.replace("/srv/lake", str(files)), project)
    assert names("raw") == ["Changed", "New", "Vanishes"]
    assert names("present") == ["Changed", "New"]
    assert reads() == [("full", 2), ("incremental", 1)]
