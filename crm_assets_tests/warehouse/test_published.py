"""The published copy: a step of its own, put in its place at once, never in a reader's way."""

import shutil
from pathlib import Path

import duckdb
import pytest
from dagster import AssetKey

from crm_assets.definitions import defs
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.scripted_crm import configured_crm, tasks

pytestmark = pytest.mark.slow

COUNT = "select count(*) from raw.open_tasks"


def published() -> bool:
    """Materializes the last step alone; whether it succeeded."""
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(asset_selection=[AssetKey(["published", "database"])], raise_on_error=False).success


def test_readers_of_the_copy_and_runs_do_not_block_each_other(data_dir: Path) -> None:
    with configured_crm(lists={"open_tasks": tasks(70)}) as crm:
        assert materialize("open_tasks").success
        assert not (data_dir / "crm.published.duckdb").exists()
        assert published()
        with duckdb.connect(str(data_dir / "crm.published.duckdb"), read_only=True) as reader:
            crm.lists["open_tasks"] += tasks(5, first=71)
            assert materialize("open_tasks").success and published()
            assert reader.execute(COUNT).fetchall() == [(70,)]
    assert rows(COUNT, data_dir / "crm.published.duckdb") == [(75,)]


def test_an_unchanged_database_is_not_copied_again(data_dir: Path) -> None:
    with configured_crm(lists={"open_tasks": tasks(3)}):
        materialize("open_tasks")
        assert Warehouse().publish().is_new
        copy = data_dir / "crm.published.duckdb"
        before = copy.stat().st_ino
        assert not Warehouse().publish().is_new
    assert copy.stat().st_ino == before


def test_the_copy_has_the_write_ahead_log_of_a_killed_process(data_dir: Path) -> None:
    data_dir.mkdir()
    database = data_dir / "crm.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("create schema raw; create table raw.open_tasks (id bigint)")
    Warehouse(database=str(database)).publish()
    with duckdb.connect(str(database)) as connection:
        connection.execute("pragma disable_checkpoint_on_shutdown")
        connection.execute("insert into raw.open_tasks values (1)")
    assert database.with_name("crm.duckdb.wal").exists()
    assert Warehouse(database=str(database)).publish().is_new
    assert rows(COUNT, data_dir / "crm.published.duckdb") == [(1,)]


@pytest.mark.long
def test_failed_copy_fails_its_step_and_keeps_the_old_copy(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with configured_crm(lists={"open_tasks": tasks(3)}) as crm:
        assert materialize("open_tasks").success and published()
        crm.lists["open_tasks"] = tasks(4)
        assert materialize("open_tasks").success

        def no_room(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(shutil, "copyfileobj", no_room)
        assert not published()
    assert rows(COUNT) == [(4,)]
    assert rows(COUNT, data_dir / "crm.published.duckdb") == [(3,)]
    assert not list(data_dir.glob("*.unfinished"))
