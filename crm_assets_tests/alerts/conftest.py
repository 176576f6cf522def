"""What alerts are about, and where they arrive."""

from collections.abc import Iterator

import pytest
from dagster import DagsterInstance

from crm_assets_tests.alerts.receivers import Webhook, webhook
from crm_assets_tests.scripted_crm import ScriptedCrm, configured_crm


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook that alerts go to."""
    with webhook() as receiver:
        monkeypatch.setenv("CRM_NOTIFY", receiver.address)
        monkeypatch.setenv("CRM_UI_URL", "https://dagster.example.com/")
        monkeypatch.setenv("DAGSTER_HOME", "a folder")  # runs are in the UI; instances here have no folder
        yield receiver


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def crm() -> Iterator[ScriptedCrm]:
    """A CRM with one task."""
    with configured_crm(lists={"open_tasks": [{"id": 1, "title": "Call"}]}) as scripted:
        yield scripted
