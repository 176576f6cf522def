"""Which assets are late, by their freshness policies."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone

import pytest
from dagster import AssetKey, AssetMaterialization, DagsterInstance, build_sensor_context

from crm_assets.automation.cadence import read_cadences
from crm_assets.automation.freshness import allowed_age, find_late
from crm_assets.automation.sensors import build_sensors
from crm_assets.definitions import defs
from crm_assets.settings import ONLY
from crm_assets_tests.alerts.receivers import Webhook, webhook

RAW, MODEL = AssetKey(["raw", "accounts"]), AssetKey(["staging", "stg_accounts"])
AGES = {key: allowed_age(key, read_cadences(ONLY)) for key in (RAW, MODEL)}


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def later(**age: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(**age)


def keys_late(instance: DagsterInstance, now: datetime) -> list[str]:
    return [incident.key for incident in find_late(instance, AGES, now)[0]]


def test_a_raw_table_is_late_after_three_reads_and_a_model_after_a_night_more(instance: DagsterInstance) -> None:
    for key in (RAW, MODEL):
        instance.report_runless_asset_event(AssetMaterialization(key))
    assert keys_late(instance, later(hours=2.9)) == []
    assert keys_late(instance, later(hours=3.1)) == ["late raw/accounts"]
    assert keys_late(instance, later(hours=30)) == ["late raw/accounts", "late staging/stg_accounts"]


def test_an_asset_never_materialized_is_not_late(instance: DagsterInstance) -> None:
    assert find_late(instance, AGES, later(days=9)) == ([], [])


def test_the_ui_has_the_same_ages() -> None:
    graph = defs.resolve_asset_graph()
    for key in (RAW, MODEL):
        policy = graph.get(key).freshness_policy
        assert policy is not None
        assert policy.fail_window.to_timedelta() == AGES[key]  # type: ignore[attr-defined]


def test_a_late_table_is_reported_once_and_its_recovery_once(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook() as receiver:
        monkeypatch.setenv("CRM_NOTIFY", receiver.address)
        assert tick(instance, receiver) == []
        instance.report_runless_asset_event(AssetMaterialization(RAW))
        at_once = {RAW: timedelta(0)}
        assert tick(instance, receiver, at_once) == ["crm_assets: problem: late raw/accounts"]
        assert len(tick(instance, receiver, at_once)) == 1
        assert tick(instance, receiver)[-1] == "crm_assets: recovered: late raw/accounts"


def tick(instance: DagsterInstance, receiver: Webhook, ages: Mapping[AssetKey, timedelta] = AGES) -> list[str]:
    """One evaluation of the sensor: the titles that have arrived until then."""
    [_, alert_of_late_tables] = build_sensors(ONLY, defs.resolve_job_def("publish"), ages)
    alert_of_late_tables(build_sensor_context(instance=instance))
    return receiver.titles
