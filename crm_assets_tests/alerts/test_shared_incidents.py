"""Open incidents of machines that share a lake: each is reported once by all of them together."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_assets_tests.alerts.receivers import Webhook, webhook
from crm_assets_tests.assets.raw_runs import configured_crm, materialize, tasks
from crm_assets_tests.data_dirs import use_data_dir
from crm_assets_tests.lake_servers import LakeServers
from crm_assets_tests.scripted_crm import ScriptedCrm, always, json_response

pytestmark = pytest.mark.slow


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook that alerts go to."""
    with webhook() as receiver:
        monkeypatch.setenv("CRM_NOTIFY", receiver.address)
        yield receiver


@pytest.fixture
def crm(servers: LakeServers, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedCrm]:
    """A CRM that refuses its tasks, and is read into a lake."""
    for name, value in servers.new_lake().items():
        monkeypatch.setenv(name, value)
    with configured_crm(lists={"open_tasks": tasks(1)}) as crm:
        crm.faults.append(always("open_tasks", lambda: json_response({"message": "Not yours"}, 403)))
        yield crm


def test_machines_with_data_directories_of_their_own_report_an_incident_and_its_recovery_once(
    hook: Webhook, crm: ScriptedCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for machine in ("one", "two"):
        use_data_dir(monkeypatch, tmp_path / machine)
        assert not materialize("open_tasks").success
    assert hook.titles == ["crm_assets: problem: asset raw/open_tasks"]

    crm.faults.clear()
    for machine in ("three", "two"):
        use_data_dir(monkeypatch, tmp_path / machine)
        assert materialize("open_tasks").success
    assert hook.titles[1:] == ["crm_assets: recovered: asset raw/open_tasks"]
    assert list(tmp_path.rglob("alerts.json")) == []


def test_a_catalog_that_cannot_be_reached_and_its_recovery_are_reported_once(hook: Webhook, crm: ScriptedCrm) -> None:
    crm.faults.clear()
    with pytest.MonkeyPatch.context() as unreachable:
        unreachable.setenv("CRM_WAREHOUSE", "ducklake:postgres:host=127.0.0.1 port=9 user=crm dbname=none")
        assert not materialize("open_tasks").success
        assert not materialize("open_tasks").success
    assert hook.titles == ["crm_assets: problem: asset raw/open_tasks"]
    assert materialize("open_tasks").success
    assert materialize("open_tasks").success
    assert hook.titles[1:] == ["crm_assets: recovered: asset raw/open_tasks"]
