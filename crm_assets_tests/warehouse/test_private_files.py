"""Files with records are their owner's alone, whoever made the folder, and what a killed process left is removed."""

import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier, Thread

import pytest

from crm_assets.warehouse.private_files import private_files
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.processes import exit_codes, started
from crm_assets_tests.scripted_crm import configured_crm, tasks

SPILLS = {"memory_limit": "30MB", "threads": "1"}
MANY_ROWS = "create temp table spilled as select md5(range::varchar) as note from range(1_500_000)"


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    assert os.umask(before) == 0o022


@pytest.fixture
def open_dir(data_dir: Path) -> Path:
    """A data directory that its user made, with access for everybody."""
    data_dir.mkdir()
    return data_dir


def modes(folder: Path) -> dict[str, int]:
    """Each file and folder that anyone but its owner can access."""
    found = {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    return {path: mode for path, mode in found.items() if mode & 0o077}


@pytest.mark.slow
def test_no_file_is_open_to_others_at_any_time(kind: str, open_dir: Path) -> None:
    seen = set()
    with Warehouse().get_connection() as connection:
        connection.execute("create schema raw; create table raw.notes as select 'private' as note")
        seen |= {path.name for path in open_dir.rglob("*")}
        assert modes(open_dir) == {}
        connection.execute("checkpoint")
        connection.execute("insert into raw.notes select 'more' from range(100_000)")
        assert modes(open_dir) == {}
    Warehouse().publish()
    Warehouse().erase()
    assert modes(open_dir) == {}
    if kind == "file":
        assert {"sandbox.duckdb.wal", "sandbox.duckdb.holder", "sandbox.duckdb.lock"} <= seen


def test_a_restored_database_is_private_again(open_dir: Path) -> None:
    with Warehouse().get_connection():
        pass
    (open_dir / "sandbox.duckdb").chmod(0o644)
    with Warehouse().get_connection():
        assert modes(open_dir) == {}


@pytest.mark.slow
@pytest.mark.usefixtures("lake_extensions")
@pytest.mark.parametrize("mode", [0o755, 0o750, 0o700])
def test_a_read_loads_files_for_those_who_can_access_the_lake(
    mode: int, open_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_WAREHOUSE", f"ducklake:{open_dir}/catalog.ducklake")
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(open_dir / "lake"))
    files = open_dir / "lake" / "crm"
    files.mkdir(mode=mode, parents=True)
    open_while_reading = []
    with configured_crm(
        lists={"open_tasks": tasks(120)},
        before_page=lambda _: open_while_reading.append(modes(open_dir / "pipelines")),
    ):
        assert materialize("open_tasks").success
    assert open_while_reading == [{}] * 3
    written = {path: stat.S_IMODE(path.stat().st_mode) for path in (files / "raw").rglob("*")}
    assert {found for path, found in written.items() if path.is_dir()} == {mode}
    assert {found for path, found in written.items() if path.is_file()} == {mode & 0o666}


@contextmanager
def spilling() -> Iterator[None]:
    with Warehouse(connection_config=SPILLS).get_connection() as connection:
        connection.execute(MANY_ROWS)
        yield


def killed_while_spilling() -> None:
    with spilling():
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.usefixtures("kind")
def test_values_are_spilled_into_a_private_folder_of_the_run(open_dir: Path, tmp_path: Path) -> None:
    with spilling():
        spilled = [path for path in tmp_path.rglob("duckdb_temp*") if path.stat().st_size]
        assert {path.parents[1] for path in spilled} == {open_dir / "pipelines"}
        assert modes(open_dir) == {}
    assert list((open_dir / "pipelines").iterdir()) == []
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.slow
@pytest.mark.usefixtures("kind")
def test_spilled_values_of_a_killed_process_are_removed(data_dir: Path, tmp_path: Path) -> None:
    assert exit_codes(started(killed_while_spilling)) == [-signal.SIGKILL]
    assert [path for path in data_dir.rglob("duckdb_temp*") if path.stat().st_size]
    with Warehouse().get_connection():
        assert not list(tmp_path.rglob("duckdb_temp*"))
    assert list((data_dir / "pipelines").iterdir()) == []


def test_temporary_files_of_earlier_releases_are_removed(data_dir: Path) -> None:
    left = data_dir / "sandbox.duckdb.tmp"
    left.mkdir(parents=True)
    (left / "duckdb_temp_storage_DEFAULT-0.tmp").write_text("private", encoding="utf-8")
    with Warehouse().get_connection():
        assert not left.exists()


def test_the_umask_is_the_strictest_of_all_threads_and_returns(tmp_path: Path) -> None:
    inside = Barrier(2, timeout=10)

    def strict() -> None:
        with private_files():
            inside.wait()
            inside.wait()

    with private_files(0o027):
        thread = Thread(target=strict)
        thread.start()
        inside.wait()
        (tmp_path / "strict").touch()
        inside.wait()
        thread.join()
        (tmp_path / "group").touch()
    (tmp_path / "after").touch()
    found = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("strict", "group", "after")}
    assert found == {"strict": 0o600, "group": 0o640, "after": 0o644}
