"""The raw tables that the models are tried on."""

from collections.abc import Iterator

import pytest

from crm_assets_tests.data_dirs import empty_database, use_data_dir
from crm_assets_tests.models.raw_tables import RawTables


@pytest.fixture(scope="session")
def _tables(_warehouse: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawTables]:
    folder = tmp_path_factory.mktemp("models") / "data"
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_data_dir(monkeypatch, folder)
        with empty_database(folder) as connection:
            yield RawTables(connection)


@pytest.fixture
def crm(_tables: RawTables) -> RawTables:
    """Empty raw tables."""
    _tables.clear()
    return _tables
