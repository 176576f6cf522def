"""First loads of an empty lake at the same time: records of one CRM only get in, whichever lists are loaded."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from crm_assets.loading import load
from crm_assets.loading.shared_tables import SELDOM, create_in_lake
from crm_assets.loading.sync_log import write_sync_log
from crm_assets.warehouse.transactions import committed
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.lake_servers import LakeServers
from crm_assets_tests.processes import exit_codes, started
from crm_assets_tests.scripted_crm import configured_crm, scripted_crm, tasks
from crm_assets_tests.warehouse.statements import read

pytestmark = pytest.mark.slow

SECONDS = 20.0
"""How long a load waits for the other one."""


def load_together(resource: str, meeting: Path) -> None:
    """Loads a list. Its first commit waits until the other process is about to commit, too."""

    def written(*arguments: Any) -> None:
        write_sync_log(*arguments)
        (meeting / resource).touch()
        give_up_at = time.monotonic() + SECONDS
        while len(list(meeting.iterdir())) < len(("one", "other")) and time.monotonic() < give_up_at:
            time.sleep(0.02)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(load, "write_sync_log", written)
        materialize(resource)


def test_two_crms_in_one_empty_lake_are_not_mixed(
    servers: LakeServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in servers.new_lake().items():
        monkeypatch.setenv(name, value)
    meeting, processes = tmp_path / "meeting", []
    meeting.mkdir()
    with scripted_crm(lists={"accounts": tasks(3)}) as one, scripted_crm(lists={"contacts": tasks(5)}) as other:
        for crm, resource in ((one, "accounts"), (other, "contacts")):
            for name, value in crm.settings().items():
                monkeypatch.setenv(name, value)
            processes.append(started(load_together, resource, meeting))
        assert exit_codes(*processes) == [0, 0]

    assert {file.name for file in meeting.iterdir()} == {"accounts", "contacts"}  # both had looked whose lake it is
    with Warehouse().read_connection() as connection:
        counts = "select (select count(*) from raw.accounts), (select count(*) from raw.contacts)"
        [counted] = connection.execute(counts).fetchall()
        [(base_url, resource)] = connection.execute("select base_url, resource from raw.sync_details").fetchall()
    assert (base_url, resource, counted) in {(one.base_url, "accounts", (3, 0)), (other.base_url, "contacts", (0, 5))}


@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize("is_killed", [False, True], ids=["new", "its first read was killed"])
def test_a_first_read_of_a_lake_leaves_no_row_of_its_own(*, is_killed: bool) -> None:
    with configured_crm(lists={"open_tasks": tasks(3)}):
        if is_killed:
            with Warehouse().get_connection() as connection:
                committed(connection, partial(create_in_lake, connection))
        assert materialize("open_tasks").success
        assert [read(f"from {table}") for table in SELDOM] == [[]] * len(SELDOM)
