"""Two processes that read at the same time bring the same users: each is kept once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crm_assets_tests.assets.raw_runs import rows
from crm_assets_tests.scripted_crm import configured_crm, tasks

pytestmark = [pytest.mark.slow, pytest.mark.file]  # loads of a lake may leave older rows

COMMAND = "from crm_assets_tests.assets.raw_runs import materialize; assert materialize('{}').success"


@pytest.mark.long
def test_each_user_is_kept_once(data_dir: Path) -> None:
    users = [{"id": id_, "display_name": f"User {id_}"} for id_ in range(1, 51)]
    lists = {"open_tasks": tasks(300), "contacts": tasks(300)}
    with configured_crm(lists=lists, side_loaded={"users": users}) as crm:
        processes = [
            subprocess.Popen([sys.executable, "-c", COMMAND.format(resource)], env=os.environ | crm.settings())
            for resource in lists
        ]
        assert [process.wait() for process in processes] == [0, 0]

    [(kept, ids, loads)] = rows(
        data_dir / "crm.duckdb", "select count(*), count(distinct id), list(distinct _dlt_load_id) from raw.side_loaded"
    )
    [(newest,)] = rows(data_dir / "crm.duckdb", "select max(_dlt_load_id) from raw.sync_log")
    assert (kept, ids, loads) == (50, 50, [newest])
