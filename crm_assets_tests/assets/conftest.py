"""What tests of raw assets share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_assets_tests.assets.declaring import Declarations


@pytest.fixture
def declarations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Declarations]:
    """The schemas of the project, which the test may change."""
    from crm_assets.source import schemas  # after pytest_configure

    yield Declarations(tmp_path / "schemas", monkeypatch)
    monkeypatch.undo()
    schemas.resource_schema.cache_clear()
