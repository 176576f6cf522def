"""A change of the policy that is killed leaves tables as before or as after, and the next call finishes it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import apply_policy, build_models, materialize, rows
from crm_assets_tests.data_dirs import catalog_rows, connected, is_being_written
from crm_assets_tests.marked_records import UPDATED, found_in_files, personal_settings
from crm_assets_tests.scripted_crm import configured_crm

pytestmark = pytest.mark.long

CONTACTS = 40_000
COMMAND = [sys.executable, "-m", "crm_assets", "apply-policy", "--yes"]
MARKS = [f"mark{number:05d}of{CONTACTS}" for number in (1, CONTACTS // 2, CONTACTS)]
FILL = f"""
insert into raw.contacts (id, email, display_name, tags, updated_at, _dlt_load_id, _dlt_id)
select
    range + 1,
    format('mark{{:05d}}of{CONTACTS}', range + 1),
    format('mark{{:05d}}of{CONTACTS}', range + 1),
    json_array({{'email': format('mark{{:05d}}of{CONTACTS}', range + 1)}}),
    timestamptz '{UPDATED}',
    '1',
    range::varchar
from range({CONTACTS})
"""

EMAILS = "select count(*), count(email) from raw.contacts"
TABLES = "select table_schema, table_name from information_schema.tables"


def while_values_are_converted(data_dir: Path) -> bool:
    return (data_dir / "crm.duckdb.wal").exists()


def while_tables_are_copied(data_dir: Path) -> bool:
    return any((data_dir / "pipelines").glob("*/rewritten.duckdb"))


def before_the_database_is_replaced(data_dir: Path) -> bool:
    return rows(EMAILS, data_dir / "crm.published.duckdb") == [(CONTACTS, 0)]


def before_old_files_are_removed(data_dir: Path) -> bool:
    """The change is committed: it stores the policy."""
    return ("raw", "personal_data_policy") in rows(TABLES, data_dir / "crm.duckdb")


def while_old_files_are_removed(data_dir: Path) -> bool:
    """All snapshots but the last one have expired."""
    return catalog_rows(data_dir, "select count(*) from ducklake_snapshot") == [(1,)]


MOMENTS: Mapping[str, Sequence[Callable[[Path], bool]]] = {
    "file": [while_values_are_converted, while_tables_are_copied, before_the_database_is_replaced],
    "lake": [is_being_written, before_old_files_are_removed, while_old_files_are_removed],
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each kind of warehouse has moments of its own."""
    if "moment" in metafunc.fixturenames:
        metafunc.parametrize("moment", MOMENTS[metafunc.config.getoption("--warehouse")])


def test_killed_change_is_finished_by_the_next_call(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, moment: Callable[[Path], bool]
) -> None:
    with configured_crm() as crm:
        assert materialize().success
        with connected(read_only=False) as connection:
            connection.execute(FILL)
        build_models()
        before = rows(TABLES)
        assert ("seeds", "owner_targets") in before
        Warehouse().publish()
        assert found_in_files(MARKS, data_dir) == set(MARKS)
        # Where the new database would be written: the process waits there for somebody to read.
        pipe = data_dir / "crm.unfinished"
        os.mkfifo(pipe)

        for name, value in personal_settings("leave_out").items():
            monkeypatch.setenv(name, value)
        environment = {**os.environ, **crm.settings()}
        killed = subprocess.Popen(COMMAND, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        give_up_at = time.monotonic() + 120
        while not moment(data_dir) and killed.poll() is None and time.monotonic() < give_up_at:
            time.sleep(0.001)
        killed.send_signal(signal.SIGKILL)
        pipe.unlink()
        assert killed.wait() == -signal.SIGKILL, "it had ended before it could be killed"

        [(count, emails)] = rows(EMAILS)
        assert count == CONTACTS
        assert emails in {0, CONTACTS}
        assert "crm-assets apply-policy" in materialize("open_tasks").failure("open_tasks")
        apply_policy()
        assert materialize("open_tasks").success
    assert found_in_files(MARKS, data_dir) == set()
    assert set(before) - set(rows(TABLES)) == set()
    assert rows(EMAILS) == [(CONTACTS, 0)]
    assert not [path for path in data_dir.rglob("*") if "rewritten" in path.name or "unfinished" in path.name]
