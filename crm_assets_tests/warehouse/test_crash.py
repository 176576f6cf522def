"""A process killed at any moment leaves tables as before or as after, and the next run needs no hand."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.data_dirs import is_being_written
from crm_assets_tests.processes import exit_codes, started
from crm_assets_tests.scripted_crm import ScriptedCrm, configured_crm, tasks

pytestmark = pytest.mark.slow

BEFORE, AFTER = 300, 900


def while_pages_are_read(crm: ScriptedCrm, _: Path) -> bool:
    return len(crm.seen) >= 3


def while_the_load_is_committed(crm: ScriptedCrm, data_dir: Path) -> bool:
    """The warehouse is held once the last page was read."""
    return len(crm.seen) >= AFTER / 50 and is_being_written(data_dir)


@pytest.mark.parametrize("moment", [while_pages_are_read, while_the_load_is_committed])
def test_a_killed_process_leaves_the_table_as_before_or_as_after(
    data_dir: Path, moment: Callable[[ScriptedCrm, Path], bool]
) -> None:
    with configured_crm(lists={"open_tasks": tasks(BEFORE)}) as crm:
        assert materialize("open_tasks").success
        crm.lists["open_tasks"] = tasks(AFTER)
        crm.seen.clear()
        crm.latency = 0.01
        killed = started(materialize, "open_tasks")
        give_up_at = time.monotonic() + 60
        while not moment(crm, data_dir) and killed.is_alive() and time.monotonic() < give_up_at:
            time.sleep(0.002)
        killed.kill()
        assert exit_codes(killed) == [-signal.SIGKILL], "it had ended before it could be killed"

        [(count, ids)] = rows("select count(*), count(distinct id) from raw.open_tasks")
        assert count == ids
        assert count in {BEFORE, AFTER}
        crm.latency = 0
        assert materialize("open_tasks").success
        [(count, ids)] = rows("select count(*), count(distinct id) from raw.open_tasks")
        assert count == ids == AFTER
        assert list((data_dir / "pipelines").iterdir()) == []
