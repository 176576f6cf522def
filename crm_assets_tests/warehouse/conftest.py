"""Lakes for tests of the warehouse."""

from pathlib import Path

import pytest

from crm_assets_tests.lake_servers import LakeServers


@pytest.fixture
def lake(servers: LakeServers, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of a lake that is configured, and empty."""
    settings = servers.new_lake()
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture(params=["file", pytest.param("lake", marks=pytest.mark.slow)])
def warehouse(request: pytest.FixtureRequest) -> None:
    """A file is the configured warehouse, or a lake on its servers. Both are empty."""
    request.getfixturevalue("data_dir" if request.param == "file" else "lake")


@pytest.fixture(params=["file", pytest.param("lake", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The kind of the configured warehouse: a file, or a lake with its catalog in a file."""
    if request.param == "lake":
        request.getfixturevalue("lake_extensions")
        monkeypatch.setenv("CRM_WAREHOUSE", f"ducklake:{data_dir}/catalog.ducklake")
        monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(data_dir / "lake"))
    return str(request.param)
