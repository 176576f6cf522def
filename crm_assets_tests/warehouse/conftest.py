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
