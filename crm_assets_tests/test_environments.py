"""The project as others have it: cloned or installed, started from any folder, with any home."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crm_assets_tests.assets.raw_runs import rows
from crm_assets_tests.clones import PROJECT, copy_of_the_project
from crm_assets_tests.lake_servers import free_port
from crm_assets_tests.processes import UNPRIVILEGED, can_be_denied, completed
from crm_assets_tests.scripted_crm import KEY, ScriptedCrm, scripted_crm

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
RESOURCES = ("accounts", "contacts", "won_deals", "open_tasks", "past_appointments")
CHECKED = {
    "accounts": {"name": "Acme"},
    "won_deals": {"name": "Renewal", "closed_date": "2026-01-05"},
    "past_appointments": {"from_date": "2026-01-05T10:00:00Z"},
}
"""Fields without which a check warns."""
READ_TASKS = (str(BIN / "dagster"), "asset", "materialize", "-m", "crm_assets.definitions", "--select")
TABLES = (sys.executable, "-m", "crm_assets", "tables")


def run(
    *command: str, folder: Path, code: Path, umask: int = 0o022, home: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Runs a command in a folder, with the package from `code` and nothing else in the environment."""
    return completed(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
        | {"DAGSTER_HOME": str(code / "dagster_home")}
        | ({"HOME": home} if home else {}),
        umask=umask,
        timeout=280,
    )


def set_up_dagster(folder: Path) -> None:
    """Dagster's folder, as make sets it up. Without one, its telemetry writes into the home."""
    (folder / "dagster_home").mkdir()
    shutil.copy2(PROJECT / "dagster.yaml", folder / "dagster_home")


def filled_in(crm: ScriptedCrm) -> str:
    """The lines of a `.env` file."""
    return f"export SOURCES__CRM__BASE_URL='{crm.base_url}'\r\nSOURCES__CRM__API_KEY={KEY}\r\n"


@pytest.fixture(scope="module")
def crm() -> Iterator[ScriptedCrm]:
    with scripted_crm(
        lists={name: [{"id": id_, **CHECKED.get(name, {})} for id_ in (1, 2)] for name in RESOURCES}
    ) as crm:
        yield crm


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, crm: ScriptedCrm) -> Path:
    """A clone in which only `.env` was filled in."""
    folder = copy_of_the_project(tmp_path_factory.mktemp("clone"))
    set_up_dagster(folder)
    (folder / ".env").write_bytes(filled_in(crm).encode())
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package was installed, not editable."""
    source = copy_of_the_project(tmp_path_factory.mktemp("source"))
    site = tmp_path_factory.mktemp("site")
    install = ("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target")
    subprocess.run([sys.executable, *install, str(site), str(source)], capture_output=True, check=True)
    set_up_dagster(site)
    return site


@pytest.mark.long
def test_make_demo_shows_a_line_an_asset_and_the_tables_last(clone: Path) -> None:
    made = run("make", "--assume-old=.venv/runtime", "demo", folder=clone, code=clone)
    assert made.returncode == 0, made.stderr[-3000:]
    assert "Warning" not in made.stderr
    assert {line.split()[1].rstrip(":") for line in made.stderr.splitlines()} >= set(RESOURCES)
    *tables, _, database = made.stdout.splitlines()
    assert len(made.stderr.splitlines()) <= len(tables), "more than a line an asset"
    for table in (*(f"raw.{resource}" for resource in RESOURCES), "marts.won_revenue_monthly"):
        assert table in "\n".join(tables)
    assert database == f"{clone}/data/crm.duckdb"
    assert rows("select count(*) from staging.stg_open_tasks", clone / "data" / "crm.duckdb") == [(2,)]
    assert rows("select distinct mode, complete from raw.sync_log", clone / "data" / "crm.duckdb") == [("full", True)]


@pytest.mark.long
def test_commands_agree_from_any_folder_and_without_a_home(clone: Path, tmp_path: Path) -> None:
    home = "/proc/1"  # it cannot be written to; the other tests have none
    shutil.rmtree(clone / "data", ignore_errors=True)
    read = run(*READ_TASKS, 'key:"raw/open_tasks"', folder=tmp_path, code=clone, umask=0, home=home)
    assert read.returncode == 0, read.stderr[-3000:]
    shown = run(*TABLES, folder=clone.parent, code=clone, home=home)
    assert "raw.open_tasks" in shown.stdout
    assert str(clone / "data" / "crm.duckdb") in shown.stdout
    assert list(tmp_path.iterdir()) == []
    assert [path for path in (clone / "data").rglob("*.duckdb") if path.stat().st_mode & 0o077] == []


@pytest.mark.long
def test_installed_package_uses_the_working_folder(installed: Path, crm: ScriptedCrm, tmp_path: Path) -> None:
    before = sorted((installed / "crm_assets").rglob("*"))
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text(f'[sources.crm]\nbase_url = "{crm.base_url}"\n', encoding="utf-8")
    (tmp_path / ".env").write_text(f"SOURCES__CRM__API_KEY={KEY}\n", encoding="utf-8")
    read = run(*READ_TASKS, '+key:"staging/stg_open_tasks"', folder=tmp_path, code=installed)
    assert read.returncode == 0, read.stderr[-3000:]
    assert rows("select count(*) from staging.stg_open_tasks", tmp_path / "data" / "crm.duckdb") == [(2,)]
    script = str(installed / "bin" / "crm-assets")
    shown = run(script, "tables", folder=tmp_path, code=installed)
    assert str(tmp_path / "data" / "crm.duckdb") in shown.stdout
    assert sorted((installed / "crm_assets").rglob("*")) == before
    assert not list(installed.rglob("*.duckdb"))


@pytest.mark.long
@can_be_denied
def test_a_project_folder_that_cannot_be_written_to(crm: ScriptedCrm, tmp_path: Path) -> None:
    folder = copy_of_the_project(tmp_path)
    set_up_dagster(folder)
    data = tmp_path / "elsewhere"
    (folder / ".env").write_text(f"{filled_in(crm)}CRM_DATA_DIR={data}\n", encoding="utf-8")
    data.mkdir()
    with read_only(folder, folder / "crm_assets"):
        read = run(*UNPRIVILEGED, *READ_TASKS, '+key:"staging/stg_open_tasks"', folder=folder, code=folder)
        shown = run(*UNPRIVILEGED, *TABLES, folder=folder, code=folder)
    assert read.returncode == 0, read.stderr[-3000:]
    assert rows("select count(*) from staging.stg_open_tasks", data / "crm.duckdb") == [(2,)]
    assert str(data / "crm.duckdb") in shown.stdout


@contextmanager
def read_only(*folders: Path) -> Iterator[None]:
    """Lets nobody create files in the folders."""
    for folder in folders:
        folder.chmod(0o555)
    yield
    for folder in folders:
        folder.chmod(0o755)


@pytest.mark.parametrize("name", ["a?b", "a%3Fb"])
@pytest.mark.parametrize("target", ["demo", "dev", "report"])
def test_make_names_a_dagster_home_that_is_not_writable(name: str, target: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    shutil.copy2(PROJECT / "Makefile", folder)
    ended = run("make", target, folder=folder, code=folder)
    assert ended.returncode != 0
    assert f"Dagster cannot store its runs below {folder}/.dagster: move the project" in ended.stdout
    assert [path.name for path in folder.iterdir()] == ["Makefile"]


def test_alerts_link_to_the_port_that_make_dev_serves() -> None:
    port = free_port()
    instead = [f"BIN={BIN}", "DAGSTER=printenv CRM_UI_URL #"]
    command = ["make", "-o", ".venv/runtime", "-o", ".dagster/dagster.yaml", "dev", f"PORT={port}", *instead]
    environment = {name: value for name, value in os.environ.items() if name != "CRM_UI_URL"}
    done = completed(command, cwd=PROJECT, env=environment)
    assert f"\nhttp://127.0.0.1:{port}\n" in done.stdout
