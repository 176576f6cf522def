"""The raw tables that the models are tried on."""

from collections.abc import Iterator

import pytest

from crm_assets_tests.models.raw_tables import RawTables


@pytest.fixture(scope="session")
def _tables() -> Iterator[RawTables]:
    tables = RawTables()
    yield tables
    tables.connection.close()


@pytest.fixture
def crm(_tables: RawTables) -> RawTables:
    """Empty raw tables."""
    _tables.clear()
    return _tables
