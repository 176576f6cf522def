"""Three CRMs side by side in one `dagster dev`, with a run of each at the same time."""

from pathlib import Path

import duckdb
import pytest
from dagster import DagsterRunStatus, RunRecord
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from crm_assets_tests.dagster_dev import DagsterDev, dagster_dev
from crm_assets_tests.several_crms import NAMES, several_crms

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@retry(retry=retry_if_result(lambda record: record is None), wait=wait_fixed(1), stop=stop_after_delay(600))
def ended(dev: DagsterDev, run: str) -> RunRecord | None:
    """A run, once it has ended."""
    with dev.instance() as instance:
        record = instance.get_run_record_by_id(run)
        return record if record and record.dagster_run.is_finished else None


def test_one_fails_and_the_others_are_unaffected(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    with several_crms(project) as crms:
        crms.write(south="wrong")
        with dagster_dev(project) as dev:
            started = {name: dev.submit(f"{name}_crm_full_refresh") for name in NAMES}
            runs = {name: record for name, run in started.items() if (record := ended(dev, run))}

    assert {name: record.dagster_run.status for name, record in runs.items()} == {
        "north": DagsterRunStatus.SUCCESS,
        "south": DagsterRunStatus.FAILURE,
        "west": DagsterRunStatus.SUCCESS,
    }
    began = max(record.start_time or 0 for record in runs.values())
    assert began < min(runs["north"].end_time or 0, runs["west"].end_time or 0)  # all three at the same time
    # One row of west is that of deals without a listed account.
    for name, count in (("north", 10), ("west", 31)):
        copy = project / "data" / f"crm.{name}.published.duckdb"
        with duckdb.connect(str(copy), read_only=True) as published:
            assert published.execute(f"select count(*) from {name}_marts.account_overview").fetchall() == [(count,)]
