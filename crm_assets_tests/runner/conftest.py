"""Models that a test writes, and a database to build them in."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from crm_assets_tests.data_dirs import empty_database
from crm_assets_tests.runner.model_project import ModelProject


@pytest.fixture
def project(tmp_path: Path) -> ModelProject:
    """A folder for models, empty."""
    return ModelProject(tmp_path / "models")


@pytest.fixture
def connection(data_dir: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database."""
    with empty_database(data_dir) as connection:
        yield connection


@pytest.fixture
def accounts(connection: duckdb.DuckDBPyConnection) -> None:
    """Two accounts and their owners."""
    connection.execute(
        "set TimeZone = 'UTC'; create schema raw; create table raw.accounts (id int, owner varchar, changed timestamp)"
    )
    connection.execute("insert into raw.accounts values (1, 'ann', '2026-01-01'), (2, 'bob', '2026-01-01')")
