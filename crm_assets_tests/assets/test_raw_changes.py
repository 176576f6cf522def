"""The changes of a sync: counted in the metadata, and part of the table's data version."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from dagster import AssetKey
from starlette.responses import Response

from crm_assets_tests.assets.declaring import Declarations
from crm_assets_tests.assets.raw_runs import Run, materialize, rows
from crm_assets_tests.data_dirs import connected
from crm_assets_tests.scripted_crm import configured_crm, failing

pytestmark = pytest.mark.slow

RESOURCE = "accounts"
COUNTED = ("new", "changed", "vanished", "returned")


def counted(run: Run) -> dict[str, int]:
    """The counts that are not 0."""
    metadata = run.metadata(RESOURCE)
    return {name: metadata[f"crm/rows_{name}"] for name in COUNTED if metadata[f"crm/rows_{name}"]}


def version(run: Run) -> str | None:
    """The data version that Dagster has."""
    [event] = run.result.asset_materializations_for_node(f"raw__{RESOURCE}")
    assert event.asset_key == AssetKey(["raw", RESOURCE])
    return (event.tags or {}).get("dagster/data_version")


def account(id_: int, **fields: Any) -> dict[str, Any]:
    return {"id": id_, "updated_at": "2026-01-01T00:00:00Z", "name": "Acme", **fields}


@pytest.mark.long
def test_each_kind_of_change_is_counted() -> None:
    with configured_crm(lists={RESOURCE: [account(1), account(2), account(3)]}) as crm:
        assert counted(materialize(RESOURCE)) == {"new": 3}
        crm.lists[RESOURCE] = [account(1), account(2, name="Other"), account(4), account(5)]
        assert counted(materialize(RESOURCE)) == {"new": 2, "changed": 1, "vanished": 1}
        crm.lists[RESOURCE] = [account(3)]
        assert counted(materialize(RESOURCE)) == {"vanished": 4, "returned": 1}
        crm.lists[RESOURCE] = []
        assert counted(materialize(RESOURCE)) == {"vanished": 1}


def test_first_values_and_undeclared_fields_are_changes() -> None:
    with configured_crm(lists={RESOURCE: [account(1), account(2, website=None)]}) as crm:
        materialize(RESOURCE)
        crm.lists[RESOURCE] = [account(1, mood="good"), account(2, website="https://example.com")]
        assert counted(materialize(RESOURCE)) == {"changed": 2}


def test_incremental_read_counts_only_changed_records() -> None:
    with configured_crm(lists={RESOURCE: [account(1), account(2)]}) as crm:
        materialize(RESOURCE)
        crm.lists[RESOURCE][0] = account(1, updated_at="2026-01-02T00:00:00Z")
        assert counted(materialize(RESOURCE, mode="incremental")) == {"changed": 1}


@pytest.mark.long
def test_the_data_version_stays_until_something_changes() -> None:
    with configured_crm(lists={RESOURCE: [account(1), account(2)]}) as crm:
        first = version(materialize(RESOURCE))
        assert first
        assert version(materialize(RESOURCE)) == first
        del crm.lists[RESOURCE][0]
        second = version(materialize(RESOURCE))
        assert second != first
        assert version(materialize(RESOURCE, mode="incremental")) == second


@pytest.mark.long
def test_side_loaded_names_are_part_of_the_data_version() -> None:
    users = [{"id": 7, "display_name": "Ada"}]
    with configured_crm(lists={RESOURCE: [account(1)]}, side_loaded={"users": users}) as crm:
        first = version(materialize(RESOURCE))
        assert version(materialize(RESOURCE)) == first
        crm.side_loaded["users"] = [{"id": 7, "display_name": "Grace"}]
        other = materialize(RESOURCE)
        assert counted(other) == {}
        assert version(other) != first


def test_a_declaration_is_a_change(declarations: Declarations) -> None:
    """marts.data_quality counts the fields that are not declared."""
    with configured_crm(lists={RESOURCE: [account(1, mood="good")]}):
        versions = [version(materialize(RESOURCE))]
        for column in ("mood", "other"):
            declarations.declare(RESOURCE, **{column: "text"})
            versions += [version(materialize(RESOURCE)) for _ in range(2)]
    assert rows("select comment from duckdb_columns() where schema_name = 'raw' and column_name = 'mood'") == [("",)]
    first, second, same_as_second, third, same_as_third = versions
    assert len({first, second, third}) == 3
    assert (second, third) == (same_as_second, same_as_third)


def test_the_view_of_an_earlier_release_changes_the_data_version() -> None:
    with configured_crm(lists={RESOURCE: [account(1, name="Acme\n")]}):
        first = version(materialize(RESOURCE))
        with connected(read_only=False) as connection:
            connection.execute("create or replace view present.accounts as from raw.accounts")
        second = version(materialize(RESOURCE))
        assert second != first
        assert version(materialize(RESOURCE)) == second


def test_times_lag_and_allowance_are_numbers_for_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__REQUESTS_PER_HOUR", "1000")
    an_hour_ago = datetime.now(timezone.utc) - timedelta(hours=1)
    records = [account(1, updated_at=an_hour_ago.isoformat()), account(2, updated_at="2999-01-01T00:00:00Z")]
    with configured_crm(lists={RESOURCE: records}):
        metadata = materialize(RESOURCE).metadata(RESOURCE)
    assert metadata["crm/allowance_share"] == metadata["crm/requests"] / 1000
    assert metadata["crm/lag_seconds"] >= 3600
    assert metadata["crm/seconds_reading"] > 0
    assert metadata["crm/seconds_loading"] > 0


def test_overlapping_waits_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "1")
    pause = failing(RESOURCE, page=4, answers=[Response("", 429, headers={"Retry-After": "1"})])
    with configured_crm(lists={RESOURCE: [account(id_) for id_ in range(1, 17)]}, latency=0.01) as crm:
        crm.faults.append(pause)
        metadata = materialize(RESOURCE).metadata(RESOURCE)
    assert 1 <= metadata["crm/seconds_waiting"] <= metadata["crm/seconds_reading"]
