"""The raw tables that the models are tried on."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import duckdb
import pytest

from crm_assets.runner.unchanged import report_in
from crm_assets_tests.data_dirs import empty_database, use_data_dir
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.reckoning import Record
from crm_assets_tests.models.recomputed import recomputed
from crm_assets_tests.models.sandbox_states import build_states


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


@pytest.fixture(scope="module")
def _tables_in_zone(zone: ZoneInfo) -> Iterator[RawTables]:
    """One for each `zone` of a module, since views keep the zone that they were built with."""
    with duckdb.connect() as connection:
        report_in(connection, zone.key)
        yield RawTables(connection)


@pytest.fixture
def tables(_tables_in_zone: RawTables) -> RawTables:
    """Empty raw tables of a CRM that is reported on in the zone."""
    _tables_in_zone.clear()
    return _tables_in_zone


@pytest.fixture(scope="session")
def built() -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, list[Record]]]]:
    """The marts on the sandbox's records after two builds, and what they should hold."""
    with duckdb.connect() as connection:
        states = build_states(connection)
        yield connection, recomputed(*states)
