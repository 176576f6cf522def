"""Models that a test writes, and a database to build them in."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from crm_assets_tests.data_dirs import empty_database
from crm_assets_tests.runner.model_project import ModelProject


@pytest.fixture
def project(tmp_path: Path, data_dir: Path) -> Iterator[ModelProject]:
    """A folder for models, empty. They are built in an empty database."""
    with ExitStack() as until_the_end:
        yield ModelProject(tmp_path / "models", lambda: until_the_end.enter_context(empty_database(data_dir)))


@pytest.fixture
def accounts(project: ModelProject) -> None:
    """Two accounts and their owners."""
    project.execute(
        "set TimeZone = 'UTC'; create schema raw; create table raw.accounts (id int, owner varchar, changed timestamp)"
    )
    project.execute("insert into raw.accounts values (1, 'ann', '2026-01-01'), (2, 'bob', '2026-01-01')")
