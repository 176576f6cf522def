"""The jobs: which resources they read and in which mode, when schedules start them, how old assets may get."""

from datetime import timedelta
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult

from crm_assets.automation.jobs import STEP, cron, start_minute
from crm_assets.definitions import defs
from crm_assets.settings import CrmSettings
from crm_assets_tests.assets.raw_runs import rows
from crm_assets_tests.scripted_crm import configured_crm

UPDATED = "2026-01-01T00:00:00Z"


def execute(job: str, *assets: str) -> ExecuteInProcessResult:
    """Executes a job, or of its assets only some."""
    with DagsterInstance.ephemeral() as instance:
        return defs.resolve_job_def(job).execute_in_process(
            asset_selection=[AssetKey(asset.split("/")) for asset in assets] or None,
            instance=instance,
            raise_on_error=False,
        )


def modes() -> list[tuple[Any, ...]]:
    return rows("select resource, mode from raw.sync_log order by started_at")


@pytest.mark.long
def test_a_resources_job_reads_its_changes_and_nothing_else() -> None:
    with configured_crm(lists={"accounts": [{"id": 1, "updated_at": UPDATED}]}) as crm:
        # Before anything was loaded, all there is has changed.
        assert execute("accounts_sync", "raw/accounts").success
        assert execute("accounts_sync", "raw/accounts").success
    assert modes() == [("accounts", "full"), ("accounts", "incremental")]
    assert {seen.resource for seen in crm.seen} == {"accounts"}
    # Page 1, and an empty page 2, of each read.
    assert [seen.params.get("sort") for seen in crm.seen] == [None, None, "updated_at", "updated_at"]


@pytest.mark.long
def test_the_first_run_of_one_resources_job_succeeds() -> None:
    """Somebody turns on a single schedule first: what the other resources feed is not there yet."""
    with configured_crm(lists={"won_deals": [{"id": 1, "updated_at": UPDATED}]}):
        result = execute("won_deals_sync")
    assert modes() == [("won_deals", "full")]
    assert [event.step_key for event in result.all_events if event.is_step_failure] == []


@pytest.mark.long
def test_nightly_job_reads_all_pages_the_other_one_changes() -> None:
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
    assert [mode for _, mode in modes()] == ["full", "full", "incremental", "incremental"]


def test_no_two_of_sixty_schedules_start_at_the_same_minute() -> None:
    minutes = [start_minute(position) for position in range(60)]
    assert minutes[: 60 // STEP] == list(range(0, 60, STEP))
    assert sorted(minutes) == list(range(60))


@pytest.mark.parametrize(
    ("cadence", "expected"),
    [
        (60, "12 * * * *"),
        (15, "12,27,42,57 * * * *"),
        (5, "2,7,12,17,22,27,32,37,42,47,52,57 * * * *"),
        (240, "12 */4 * * *"),
    ],
)
def test_a_resource_keeps_its_minute_at_every_cadence(cadence: int, expected: str) -> None:
    assert cron(12, timedelta(minutes=cadence)) == expected


@pytest.mark.parametrize("minutes", [7, 90, 300, 0, 2880])
def test_a_cadence_that_does_not_fit_the_clock_is_refused(minutes: int) -> None:
    with pytest.raises(ValueError, match="cadence_minutes"):
        CrmSettings.model_validate({"endpoints": {"accounts": {"cadence_minutes": minutes}}})


@pytest.mark.parametrize(
    ("asset", "hours"), [("raw/accounts", 3), ("staging/stg_accounts", 29), ("published/database", 29)]
)
def test_raw_table_may_miss_three_reads_others_a_night_more(asset: str, hours: int) -> None:
    policy = defs.resolve_asset_graph().get(AssetKey(asset.split("/"))).freshness_policy
    assert policy is not None
    assert policy.fail_window.to_timedelta() == timedelta(hours=hours)  # type: ignore[attr-defined]
