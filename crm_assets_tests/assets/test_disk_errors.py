"""Errors of the operating system about files are shown in full, with advice, and not retried."""

import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb
import pytest

from crm_assets.__main__ import main
from crm_assets.assets.failures import disk_error, explain
from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.processes import FORKED, UNPRIVILEGED, can_be_denied, completed, started
from crm_assets_tests.scripted_crm import configured_crm, tasks

READ = """
from crm_assets_tests.assets.raw_runs import materialize
run = materialize("open_tasks")
print(run.attempts("open_tasks"), run.failure("open_tasks"))
"""


def read() -> tuple[int, str]:
    """The attempts of a read, and what the user sees."""
    run = materialize("open_tasks")
    return run.attempts("open_tasks"), run.failure("open_tasks")


def forget() -> tuple[int, str]:
    """The exit code of a command, and what the user sees."""
    with redirect_stderr(StringIO()) as shown:
        code = main(["forget", "open_tasks", "1", "--yes"])
    return code, shown.getvalue()


def publish() -> tuple[int, str]:
    """The exit code of another command, and what the user sees."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as shown:
        code = main(["publish", "--parquet", "published"])
    return code, shown.getvalue()


def send_with_small_files(limit: int, action: Callable[[], tuple[int, str]], sender: Connection) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    sys.dont_write_bytecode = True  # Python would leave a part of a file
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sender.send(action())


def with_small_files(limit: int, action: Callable[[], tuple[int, str]]) -> tuple[int, str]:
    """In a process whose files have a limited size: as on a full disk, but for the operating system's words."""
    receiver, sender = FORKED.Pipe(duplex=False)
    started(send_with_small_files, limit, action, sender).join()
    result: tuple[int, str] = receiver.recv()
    return result


PERSON = "Confidential Person"


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "when"), [(2_000, "while reading"), (200_000, "while loading")])
def test_a_full_disk(limit: int, when: str) -> None:
    task = {"updated_at": "2026-01-01T00:00:00Z", "title": PERSON * 200}
    with configured_crm(lists={"open_tasks": [{"id": 1, **task}]}) as crm:
        assert materialize("open_tasks").success
        crm.lists["open_tasks"] = [{"id": id_, **task} for id_ in range(1, 501)]
        attempts, message = with_small_files(limit, read)
    assert attempts == 1
    assert message.startswith("open_tasks: ")
    assert "File too large" in message
    assert "CRM_DATA_DIR" in message
    assert (when == "while loading") == ("crm.duckdb" in message)
    assert PERSON not in message
    assert rows("select count(*) from raw.open_tasks") == [(1,)]


@pytest.mark.slow
@pytest.mark.usefixtures("lake_extensions")
@pytest.mark.parametrize("warehouse", ["crm.duckdb", "ducklake:catalog/crm.ducklake"])
def test_first_read_on_a_full_disk_leaves_no_broken_file(
    warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRM_WAREHOUSE", warehouse)
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", "files")
    with configured_crm(lists={"open_tasks": tasks(1)}):
        assert "File too large" in with_small_files(8_000, read)[1]
        assert materialize("open_tasks").success


@pytest.mark.slow
def test_a_full_disk_under_a_command() -> None:
    with configured_crm(lists={"open_tasks": [{"id": 1, "title": PERSON}]}):
        assert materialize("open_tasks").success
        code, shown = with_small_files(200, forget)
    assert (code, shown.count("\n")) == (1, 1)
    assert "File too large" in shown
    assert "CRM_DATA_DIR" in shown
    assert rows("select id from raw.open_tasks") == [(1,)]


@pytest.mark.slow
@pytest.mark.file
def test_no_room_for_parquet_files(data_dir: Path) -> None:
    with configured_crm(lists={"open_tasks": tasks(3)}):
        assert materialize("open_tasks").success
        assert publish() == (0, "")
        code, shown = with_small_files(200, publish)
        assert code == 1
        assert shown.endswith("File too large. Give --parquet a folder that can be written to\n")
        (data_dir / "crm.published.duckdb.lock").unlink()
        (data_dir / "crm.published.duckdb.lock").mkdir()
        assert "CRM_DATA_DIR" in publish()[1]


@pytest.mark.parametrize("below", ["", "/below"], ids=["itself", "a folder above it"])
def test_a_data_directory_that_is_a_file(below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CRM_DATA_DIR", f"{tmp_path}/file{below}")
    assert_told_before_any_request("Set CRM_DATA_DIR to a folder", str(tmp_path / "file"))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "no database": lambda _: b"no database" * 1000,
    "cut off": lambda content: content[:6000],
    "a byte changed": lambda content: content[:20_000] + bytes([content[20_000] ^ 255]) + content[20_001:],
}


@pytest.mark.long
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_database(damage: Callable[[bytes], bytes], data_dir: Path) -> None:
    database = data_dir / "crm.duckdb"
    with configured_crm(lists={"open_tasks": [{"id": 1}]}):
        assert materialize("open_tasks").success
    damaged = damage(database.read_bytes())
    database.write_bytes(damaged)
    assert_told_before_any_request("restore it", "CRM_DATA_DIR", "docs/backup.md")
    assert database.read_bytes() == damaged


@pytest.mark.long
@can_be_denied
def test_a_data_directory_that_may_not_be_written_to(tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o500)
    with configured_crm(lists={"open_tasks": [{"id": 1}]}) as crm:
        done = completed(
            [*UNPRIVILEGED, sys.executable, "-c", READ], env=os.environ | crm.settings() | {"CRM_DATA_DIR": str(folder)}
        )
        assert crm.seen == []
    message = done.stdout.rstrip().splitlines()[-1]
    assert message.startswith(f"1 open_tasks: [Errno 13] Permission denied: '{folder}")
    assert "CRM_DATA_DIR" in message


def test_a_data_directory_on_a_file_system_that_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_DATA_DIR", "/proc/crm")
    assert_told_before_any_request("/proc/crm", "CRM_DATA_DIR")


def test_a_file_where_duckdb_needs_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(duckdb.IOException) as raised:
        duckdb.connect(str(tmp_path / "file" / "crm.duckdb"))
    assert disk_error(raised.value).endswith("Not a directory. Set CRM_DATA_DIR to a folder")


def test_a_folder_of_a_lake_is_not_tried_again_and_its_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with duckdb.connect() as connection, pytest.raises(duckdb.IOException) as raised:
        connection.execute(f"copy (select 1) to '{tmp_path}/file/ducklake-1.parquet'")
    explained = explain(raised.value, "accounts")
    assert explained.message.endswith("Not a directory. Set CRM_WAREHOUSE_FILES to a folder")
    assert not explained.may_recover


def test_too_many_open_files() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with duckdb.connect() as connection:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        try:
            with pytest.raises(duckdb.IOException) as raised:
                connection.execute("from read_text(?)", [__file__])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert disk_error(raised.value).endswith("Too many open files. Raise the limit of open files (ulimit -n)")


def assert_told_before_any_request(*words: str) -> None:
    with configured_crm(lists={"open_tasks": [{"id": 1}]}) as crm:
        run = materialize("open_tasks")
    assert not run.success
    assert (run.attempts("open_tasks"), crm.seen) == (1, [])
    for word in words:
        assert word in run.failure("open_tasks")
