"""What tests of assets share."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from crm_assets_tests.assets.declaring import Declarations
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.runner.model_project import ModelProject


@pytest.fixture
def database(data_dir: Path) -> Path:
    """Where a CRM's tables are."""
    return data_dir / "crm.duckdb"


@pytest.fixture
def declarations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Declarations]:
    """The schemas of the project, which the test may change."""
    from crm_assets.source import schemas  # after forget_the_machine

    yield Declarations(tmp_path / "schemas", monkeypatch)
    monkeypatch.undo()
    schemas.resource_schema.cache_clear()


@pytest.fixture
def project(tmp_path: Path) -> ModelProject:
    """A folder for models, empty."""
    return ModelProject(tmp_path / "models")


@pytest.fixture
def accounts(data_dir: Path) -> None:
    """Two accounts in the warehouse."""
    from crm_assets.warehouse.warehouse import Warehouse  # after forget_the_machine

    data_dir.mkdir()
    with Warehouse().get_connection() as connection:
        connection.execute("create schema raw; create table raw.accounts as select 1 as id union all select 2")


@pytest.fixture
def tables() -> Iterator[RawTables]:
    """Raw tables as declared, empty, in memory."""
    with duckdb.connect() as connection:
        yield RawTables(connection)
