"""Every test runs as on a machine where nothing is configured, and writes into a folder of its own."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import settings

from crm_assets_tests.data_dirs import lakes_on, use_data_dir
from crm_assets_tests.lake_servers import LakeServers, lake_servers, postgres_folder

# Where a change is judged, the same examples are tried each time; elsewhere each run tries new ones.
settings.register_profile("same examples", derandomize=True, deadline=None, max_examples=20)
settings.register_profile("new examples", deadline=None, max_examples=20)
# By hand, for hours if need be: pytest --hypothesis-profile=long crm_assets_tests/source
settings.register_profile("long", deadline=None, max_examples=10_000)
settings.load_profile("same examples" if os.environ.get("CI") else "new examples")

FOREIGN = ("SOURCES__", "CRM_", "API_KEY", "DAGSTER_", "DLT_", "RUNTIME__")


NOWHERE = tempfile.mkdtemp(prefix="crm_assets_tests_")


def forget_the_machine() -> None:
    """Forgets what the machine has configured."""
    for name in [name for name in os.environ if name.upper().startswith(FOREIGN)]:
        del os.environ[name]
    # Settings are read from files of the project, and dlt's own of the user, who may have a real key in either.
    os.environ["DLT_PROJECT_DIR"] = os.environ["DLT_DATA_DIR"] = NOWHERE
    # Tests run in folders of their own, and so do the processes that they start.
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
    # The assets' retry policy is made when definitions are loaded.
    os.environ["SOURCES__CRM__ASSET_RETRY_DELAY"] = "0"


# Before anything of the project is imported: other conftest files do, and can be loaded before pytest_configure.
forget_the_machine()


def pytest_configure(config: pytest.Config) -> None:
    """Removes the folder in the end."""
    config.add_cleanup(lambda: shutil.rmtree(NOWHERE, ignore_errors=True))


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: a tenth of the time is waiting for clocks, locks and servers."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests are slow."""
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker("slow")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Lets the tests of reads be run on the other kind of warehouse."""
    parser.addoption("--warehouse", choices=["file", "lake"], default="file", help="where reads load (default: a file)")


@pytest.fixture(scope="session", autouse=True)
def _warehouse(request: pytest.FixtureRequest) -> Iterator[None]:
    """What `--warehouse` asks for."""
    if request.config.getoption("--warehouse") == "file":
        yield
        return
    with lakes_on(request.getfixturevalue("servers")):
        yield


@pytest.fixture
def _environment() -> Iterator[None]:
    """Comes back, in whichever order a test and what it uses have changed the same variable."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def data_dir(_environment: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of one test, which runs in a folder without settings."""
    folder = tmp_path / "data"
    monkeypatch.chdir(tmp_path)
    use_data_dir(monkeypatch, folder)
    return folder


@pytest.fixture
def a_crm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of a CRM that is no sandbox. Nothing is asked of it."""
    monkeypatch.setenv("SOURCES__CRM__BASE_URL", "https://crm.example")
    monkeypatch.setenv("SOURCES__CRM__API_KEY", "key-of-a-crm")


@pytest.fixture(scope="session")
def lake_extensions() -> None:
    """The packages with a lake's extensions, which are for one version of DuckDB."""
    import duckdb  # after forget_the_machine, as all of the project

    folder = Path(str(files("duckdb_extension_ducklake"))) / "extensions" / f"v{duckdb.__version__}"
    if not folder.exists():
        pytest.skip("the packages with a lake's extensions are for another version of DuckDB")


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[LakeServers]:
    """PostgreSQL and an S3 server, for lakes."""
    request.getfixturevalue("lake_extensions")
    if postgres_folder() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with lake_servers() as servers:
        yield servers


@pytest.fixture
def messages() -> Iterator[list[str]]:
    """Messages of Dagster's logger, as they come."""
    from dagster import get_dagster_logger  # after forget_the_machine

    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logger = get_dagster_logger()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel("INFO")
    yield messages
    logger.removeHandler(handler)
    logger.setLevel(level)
