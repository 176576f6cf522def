"""The component in another dg project, which has this package installed from a wheel."""

import os
import sys
from pathlib import Path

import pytest

from crm_assets_tests.assets.raw_runs import rows
from crm_assets_tests.clones import copy_of_the_project
from crm_assets_tests.processes import completed
from crm_assets_tests.scripted_crm import KEY, scripted_crm

pytestmark = [pytest.mark.slow, pytest.mark.file, pytest.mark.timeout(900)]

PROJECT = {
    "pyproject.toml": """
[project]
name = "other"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "other"
""",
    "other/__init__.py": "",
    "other/defs/__init__.py": "",
    "other/defs/alerts.py": "from crm_assets.alerts.reporting import send_alerts\n",
    "other/definitions.py": """
from pathlib import Path

from dagster import definitions, load_from_defs_folder


@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
""",
}


def run(*command: str, folder: Path, **variables: str) -> str:
    """What a command prints."""
    done = completed(
        [str(Path(sys.executable).with_name(command[0])), *command[1:]],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "VIRTUAL_ENV": sys.prefix, **variables},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of packages with this one, from a wheel."""
    source, site = copy_of_the_project(tmp_path / "source"), tmp_path / "site"
    offline = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
    run("pip", "wheel", *offline, "--no-build-isolation", "--wheel-dir", "dist", ".", folder=source)
    [wheel] = (source / "dist").glob("*.whl")
    run("pip", "install", *offline, "--target", str(site), str(wheel), folder=source)
    return site


@pytest.mark.long
def test_component_is_scaffolded_and_loads_in_another_project(tmp_path: Path, site: Path) -> None:
    project = tmp_path / "project"
    for name, text in PROJECT.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    accounts = [{"id": 1, "name": "Acme", "updated_at": "2026-01-01T00:00:00Z"}]
    with scripted_crm(lists={"accounts": accounts}) as crm:
        variables = {
            "PYTHONPATH": f"{site}{os.pathsep}{project}",
            "SOURCES__NORTH__BASE_URL": crm.base_url,
            "SOURCES__NORTH__API_KEY": KEY,
        }
        assert "crm_assets.components.CrmComponent" in run("dg", "list", "components", folder=project, **variables)
        run("dg", "scaffold", "defs", "crm_assets.components.CrmComponent", "north", folder=project, **variables)
        assert "name: north" in (project / "other" / "defs" / "north" / "defs.yaml").read_text("utf-8")
        run("dg", "check", "yaml", folder=project, **variables)
        listed = run("dg", "list", "defs", "--json", folder=project, **variables)
        assert "north/raw/accounts" in listed
        assert "send_alerts" in listed
        # Steps have a process each, since the other project has chosen no executor.
        run("dg", "launch", "--assets", '+key:"north/staging/stg_accounts"', folder=project, **variables)

    database = project / "data" / "north.duckdb"
    assert rows("select account_name from staging.stg_accounts", database) == [("Acme",)]
