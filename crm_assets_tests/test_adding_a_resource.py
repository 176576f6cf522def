"""Adding a resource as `docs/adding_a_resource.md` tells: in a copy of the project, with the code of that page."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "adding_a_resource.md"

RUN = """
from pathlib import Path
from dagster import AssetKey, DagsterInstance
from crm_assets.definitions import defs
from crm_assets_tests.assets.raw_runs import configured_crm, rows

deals = [{"id": 7, "amount": "7.50", "closed_date": "2026-01-02", "updated_at": "2026-01-03T00:00:00Z"}]
with configured_crm(lists={"lost_deals": deals}), DagsterInstance.ephemeral() as instance:
    defs.resolve_job_def("lost_deals_sync").execute_in_process(instance=instance)
    defs.resolve_job_def("crm_check").execute_in_process(instance=instance)
print(rows(Path("data/crm.duckdb"), "select deal_id, amount = 7.5, lost_on::varchar from staging.stg_lost_deals"))
"""

TESTS = (
    "test_definitions.py",
    "automation/test_crm_check.py",
    "automation/test_schedules.py",
    "models/test_documentation.py",
    "models/test_presence.py",
    "settings",
    "source/probing/test_reading.py",
)
"""Tests that look at resources, jobs, schedules, models and settings as a whole."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the resource `lost_deals`."""
    copy = tmp_path_factory.mktemp("project")
    for name in ("crm_assets", "crm_assets_tests", "docs"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile", ".env.example"):
        shutil.copy(PROJECT / name, copy)
    apply_page(copy)
    python(copy, "-m", "crm_assets_tests.test_definitions")
    return copy


def apply_page(copy: Path) -> None:
    """Changes the copy as the page says: a line for `ENDPOINTS`, and each other file as it stands there."""
    page = PAGE.read_text(encoding="utf-8")
    [line] = re.findall(r"`crm_assets/source/api.py`:\n\n```python\n(.*?)```", page, re.DOTALL)
    api = copy / "crm_assets" / "source" / "api.py"
    before, end, after = api.read_text(encoding="utf-8").rpartition("    }\n)\n")
    api.write_text(f"{before}{line}{end}{after}", encoding="utf-8")
    files = re.findall(r"`(crm_assets/\S+)`:\n\n```(?:yaml|sql)\n(.*?)```", page, re.DOTALL)
    assert len(files) == 3
    for path, text in files:
        assert not (copy / path).exists()
        (copy / path).write_text(text, encoding="utf-8")


def python(copy: Path, *arguments: str) -> str:
    """What a Python process with the copy's packages prints."""
    environment = {
        "PATH": os.defpath,
        "HOME": str(copy),
        "PYTHONPATH": str(copy),
        "DLT_PROJECT_DIR": str(copy),
        "CRM_DATA_DIR": str(copy / "data"),
        "SOURCES__CRM__ASSET_RETRY_DELAY": "0",
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


@pytest.mark.slow
def test_it_adds_to_the_code_location_and_changes_nothing_else(project: Path) -> None:
    before = (PROJECT / "crm_assets_tests" / "definitions.txt").read_text(encoding="utf-8").splitlines()
    snapshot = (project / "crm_assets_tests" / "definitions.txt").read_text(encoding="utf-8")
    # Models of what any list may bring along wait for all of them, and what is published for all models.
    for name in ("raw/lost_deals, ", "staging/stg_lost_deals, "):
        snapshot = snapshot.replace(f", {name}", ", ")
    after = snapshot.splitlines()
    assert [line for line in before if line not in after] == []
    added = [line.split(":")[0].strip() for line in after if line not in before]
    assert added == [
        "raw/lost_deals",
        "staging/stg_lost_deals <- raw/lost_deals",
        "lost_deals_sync",
        "lost_deals_schedule",
    ]


@pytest.mark.slow
def test_its_job_reads_the_list_and_builds_the_model(project: Path) -> None:
    assert python(project, "-c", RUN).endswith("[(7, True, '2026-01-02')]\n")


@pytest.mark.slow
def test_it_breaks_no_other_test(project: Path) -> None:
    python(project, "-m", "pytest", "-q", "-m", "not slow", *(f"crm_assets_tests/{name}" for name in TESTS))
