"""The jobs: which resources they read, and in which mode."""

from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult

from crm_assets.definitions import defs
from crm_assets_tests.assets.raw_runs import configured_crm, rows

pytestmark = pytest.mark.slow

UPDATED = "2026-01-01T00:00:00Z"


def execute(job: str, *assets: str) -> ExecuteInProcessResult:
    """Executes a job, or of its assets only some."""
    with DagsterInstance.ephemeral() as instance:
        return defs.resolve_job_def(job).execute_in_process(
            asset_selection=[AssetKey(asset.split("/")) for asset in assets] or None,
            instance=instance,
            raise_on_error=False,
        )


def modes(data_dir: Path) -> list[tuple[Any, ...]]:
    return rows(data_dir / "crm.duckdb", "select resource, mode from raw.sync_log order by started_at")


@pytest.mark.long
def test_a_resources_job_reads_its_changes_and_nothing_else(data_dir: Path) -> None:
    with configured_crm(lists={"accounts": [{"id": 1, "updated_at": UPDATED}]}) as crm:
        # Before anything was loaded, all there is has changed.
        assert execute("accounts_sync", "raw/accounts").success
        assert execute("accounts_sync", "raw/accounts").success
    assert modes(data_dir) == [("accounts", "full"), ("accounts", "incremental")]
    assert {seen.resource for seen in crm.seen} == {"accounts"}
    # Page 1, and an empty page 2, of each read.
    assert [seen.params.get("sort") for seen in crm.seen] == [None, None, "updated_at", "updated_at"]


@pytest.mark.long
def test_the_first_run_of_one_resources_job_succeeds(data_dir: Path) -> None:
    """Somebody turns on a single schedule first: what the other resources feed is not there yet."""
    with configured_crm(lists={"won_deals": [{"id": 1, "updated_at": UPDATED}]}):
        result = execute("won_deals_sync")
    assert modes(data_dir) == [("won_deals", "full")]
    assert [event.step_key for event in result.all_events if event.is_step_failure] == []


@pytest.mark.long
def test_nightly_job_reads_all_pages_the_other_one_changes(data_dir: Path) -> None:
    resources = ("accounts", "won_deals")
    assets = [f"raw/{resource}" for resource in resources]
    with configured_crm(lists={resource: [{"id": 1, "updated_at": UPDATED}] for resource in resources}) as crm:
        assert execute("crm_full_refresh", *assets).success
        assert {(seen.resource, seen.params.get("sort")) for seen in crm.seen} == {(name, None) for name in resources}
        crm.seen.clear()
        assert execute("crm_incremental", *assets).success
    assert {(seen.resource, seen.params.get("sort")) for seen in crm.seen} == {
        (name, "updated_at") for name in resources
    }
    assert [mode for _, mode in modes(data_dir)] == ["full", "full", "incremental", "incremental"]
