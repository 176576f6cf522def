"""Runs that take a snapshot: killed, or two at a time, they lose nothing and write nothing twice."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance

from crm_assets.definitions import defs
from crm_assets_tests.assets.raw_runs import rows
from crm_assets_tests.data_dirs import is_being_written
from crm_assets_tests.processes import exit_codes, started
from crm_assets_tests.scripted_crm import configured_crm

pytestmark = pytest.mark.slow

TASKS = 500
READ = (AssetKey(["raw", "open_tasks"]), AssetKey(["staging", "stg_open_tasks"]))
SNAPSHOT = AssetKey(["snapshots", "open_tasks_history"])
STATES = """
select
    count(*) filter (where owner_id = 1 and dbt_valid_to is null),
    count(*) filter (where owner_id = 1 and dbt_valid_to is not null),
    count(*) filter (where owner_id = 2 and dbt_valid_to is null),
    count(*)
from snapshots.open_tasks_history
"""
BEFORE, AFTER = (TASKS, 0, 0, TASKS), (0, TASKS, TASKS, 2 * TASKS)


def run(*keys: AssetKey) -> None:
    with DagsterInstance.ephemeral() as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        job.execute_in_process(asset_selection=list(keys), instance=instance)


def owned_by(owner: int) -> list[dict[str, Any]]:
    return [{"id": id_, "owner_id": owner} for id_ in range(1, TASKS + 1)]


@pytest.fixture
def crm() -> Iterator[None]:
    """A CRM whose tasks all have another owner since the last snapshot, as raw and staging know already."""
    with configured_crm(lists={"open_tasks": owned_by(1)}) as crm:
        run(*READ, SNAPSHOT)
        crm.lists["open_tasks"] = owned_by(2)
        run(*READ)
        yield


@pytest.mark.long
@pytest.mark.usefixtures("crm")
def test_a_killed_run_leaves_the_history_as_before_or_as_after(data_dir: Path) -> None:
    killed = started(run, SNAPSHOT)
    while not is_being_written(data_dir) and killed.is_alive():
        time.sleep(0.002)
    killed.kill()
    assert exit_codes(killed) == [-signal.SIGKILL], "it had ended before it could be killed"

    assert rows(STATES) in ([BEFORE], [AFTER])
    run(SNAPSHOT)
    assert rows(STATES) == [AFTER]


@pytest.mark.usefixtures("crm")
def test_two_runs_at_a_time_write_a_change_once() -> None:
    both = [started(run, SNAPSHOT) for _ in range(2)]

    assert exit_codes(*both) == [0, 0]
    assert rows(STATES) == [AFTER]
