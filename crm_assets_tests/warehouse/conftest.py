"""Lakes for tests of the warehouse."""

import pytest

from crm_assets_tests.lake_servers import LakeServers


@pytest.fixture
def lake(servers: LakeServers, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of a lake that is configured, and empty."""
    settings = servers.new_lake()
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
def a_crm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of a CRM that is no sandbox. Nothing is asked of it."""
    monkeypatch.setenv("SOURCES__CRM__BASE_URL", "https://crm.example")
    monkeypatch.setenv("SOURCES__CRM__API_KEY", "key")
