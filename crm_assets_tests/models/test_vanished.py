"""From the CRM's list to the marts: vanished records leave them with the next complete read, and not before."""

from collections.abc import Iterator
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance

from crm_assets.definitions import defs
from crm_assets_tests.assets.raw_runs import rows
from crm_assets_tests.scripted_crm import ScriptedCrm, configured_crm

CHAIN = [
    AssetKey(["raw", "won_deals"]),
    AssetKey(["staging", "stg_won_deals"]),
    AssetKey(["staging", "stg_users"]),
    AssetKey(["marts", "won_revenue_monthly"]),
]


def deal(id_: int, changed: str) -> dict[str, Any]:
    return {"id": id_, "closed_date": "2026-01-10", "updated_at": changed, "created_at": "2026-01-01T00:00:00Z"}


@pytest.fixture
def crm() -> Iterator[ScriptedCrm]:
    """A CRM with three won deals."""
    deals = [deal(id_, f"2026-01-1{id_}T00:00:00Z") for id_ in (1, 2, 3)]
    with configured_crm(lists={"won_deals": deals}) as crm:
        yield crm


def read(mode: str) -> None:
    """Reads the won deals and builds what depends on them alone, as a run does."""
    with DagsterInstance.ephemeral() as instance:
        defs.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=CHAIN, run_config={"ops": {"raw__won_deals": {"config": {"mode": mode}}}}, instance=instance
        )


def deals() -> tuple[int, int, int]:
    """How many deals there are in raw, in staging, and in the mart."""
    counts = (
        "select (select count(*) from raw.won_deals), (select count(*) from staging.stg_won_deals), "
        "(select sum(won_deals)::int from marts.won_revenue_monthly)"
    )
    [(raw, staging, mart)] = rows(counts)
    return raw, staging, mart


@pytest.mark.long
def test_vanished_deals_leave_marts_with_the_next_complete_read(crm: ScriptedCrm) -> None:
    read("full")
    crm.lists["won_deals"][:2] = [deal(4, "2026-01-20T00:00:00Z")]
    read("incremental")
    assert deals() == (4, 4, 4)

    crm.lists["won_deals"].append({"name": "without id"})
    read("full")
    assert deals() == (4, 4, 4)

    crm.lists["won_deals"].pop()
    read("full")
    assert deals() == (4, 2, 2)
