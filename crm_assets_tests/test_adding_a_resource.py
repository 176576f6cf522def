"""Adding a resource as `docs/adding_a_resource.md` tells: in a copy of the project, with the code of that page."""

import os
import re
import sys
from pathlib import Path

import pytest

from crm_assets_tests.clones import PROJECT, copy_of_the_project
from crm_assets_tests.processes import completed

pytestmark = pytest.mark.slow

PAGE = PROJECT / "docs" / "adding_a_resource.md"

RUN = """
from dagster import AssetKey, DagsterInstance
from crm_assets.definitions import defs
from crm_assets_tests.assets.raw_runs import rows
from crm_assets_tests.scripted_crm import configured_crm

deals = [{"id": 7, "amount": "7.50", "closed_date": "2026-01-02", "updated_at": "2026-01-03T00:00:00Z"}]
with configured_crm(lists={"lost_deals": deals}), DagsterInstance.ephemeral() as instance:
    defs.resolve_job_def("lost_deals_sync").execute_in_process(instance=instance)
    defs.resolve_job_def("crm_check").execute_in_process(instance=instance)
print(rows("select deal_id, amount = 7.5, lost_on::varchar from staging.stg_lost_deals"))
"""

NOTES = {
    "source/schemas/notes.yaml": """
description: Notes, one row each.
columns:
  id: {data_type: bigint, nullable: false, description: Primary key.}
  text: {data_type: text, description: The note., personal: true}
  author_id: {data_type: bigint, description: The user who wrote it.}
""",
    "dbt/models/staging/stg_notes.sql": """
select
    id as note_id,
    text as body,
    author_id,
    _dlt_load_id as last_seen_load_id
from {{ source('present', 'notes') }}
""",
    "dbt/models/staging/stg_notes.yml": """
sources:
  - name: present
    tables: [{name: notes}]
models:
  - name: stg_notes
    description: One row per note.
    columns:
      - {name: note_id, description: The note's id., data_tests: [unique, not_null]}
      - {name: body, description: The note.}
      - {name: author_id, description: The user who wrote it.}
      - {name: last_seen_load_id, description: The load that last saw the row.}
""",
}
"""A list whose records do not tell when they were changed: file in the package -> its content."""

RUN_NOTES = """
from dagster import DagsterInstance
from crm_assets.definitions import defs
from crm_assets_tests.assets.raw_runs import rows
from crm_assets_tests.scripted_crm import configured_crm

notes = [{"id": i, "text": f"Note {i}", "author_id": 7} for i in range(1, 121)]
with configured_crm(lists={"notes": notes}) as crm, DagsterInstance.ephemeral() as instance:
    def run(job, config=None):
        return defs.resolve_job_def(job).execute_in_process(instance=instance, run_config=config).success

    incremental = {"ops": {"raw__notes": {"config": {"mode": "incremental"}}}}
    assert run("notes_sync", incremental)
    notes[110] |= {"text": "changed", "author_id": 8}
    del notes[5]
    crm.seen.clear()
    assert run("notes_sync", incremental)
    assert sorted(crm.pages("notes")) == [1, 2, 3]
    assert not any("sort" in seen.params for seen in crm.seen)
    assert run("crm_check")
shown = dict(rows("select note_id, body from staging.stg_notes"))
assert shown == {note["id"]: note["text"] for note in notes}
history = "select author_id, dbt_valid_to is null from snapshots.notes_history where note_id = {} order by all"
print(rows(history.format(111)), rows(history.format(6)))
"""

TESTS = (
    "test_definitions.py",
    "automation/test_crm_check.py",
    "automation/test_jobs.py",
    "models/test_documentation.py",
)
"""Tests that look at all resources, jobs, schedules or models."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the resource `lost_deals`."""
    copy = copy_of_the_project(tmp_path_factory.mktemp("project"))
    apply_page(copy)
    python(copy, "-m", "crm_assets_tests.test_definitions")
    return copy


def add_endpoint(copy: Path, line: str) -> None:
    """Adds a line at the end of `ENDPOINTS`."""
    api = copy / "crm_assets" / "api.py"
    before, end, after = api.read_text(encoding="utf-8").rpartition("    }\n)\n")
    api.write_text(f"{before}{line}{end}{after}", encoding="utf-8")


def apply_page(copy: Path) -> None:
    """Changes the copy as the page says: a line for `ENDPOINTS`, and each other file as it stands there."""
    page = PAGE.read_text(encoding="utf-8")
    [line] = re.findall(r"`crm_assets/api.py`:\n\n```python\n(.*?)```", page, re.DOTALL)
    add_endpoint(copy, line)
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
    done = completed([sys.executable, *arguments], cwd=copy, env=environment, timeout=280)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


@pytest.mark.long
def test_new_resource_changes_nothing_else(project: Path) -> None:
    before = (PROJECT / "crm_assets_tests" / "definitions.txt").read_text(encoding="utf-8").splitlines()
    snapshot = (project / "crm_assets_tests" / "definitions.txt").read_text(encoding="utf-8")
    # Models of what any list may bring along wait for all of them, and what is published for tables that nothing reads.
    snapshot = re.sub(", (raw/lost_deals|staging/stg_lost_deals)(?=[,\\n])", "", snapshot)
    after = snapshot.splitlines()
    assert [line for line in before if line not in after] == []
    added = [line.split(":")[0].strip() for line in after if line not in before]
    assert added == [
        "raw/lost_deals",
        "staging/stg_lost_deals <- raw/lost_deals",
        "lost_deals_sync",
        "lost_deals_schedule",
    ]


def test_job_of_a_new_resource_reads_and_builds(project: Path) -> None:
    assert python(project, "-c", RUN).endswith("[(7, True, '2026-01-02')]\n")


@pytest.mark.long
def test_new_resource_breaks_no_other_test(project: Path) -> None:
    python(project, "-m", "pytest", "-q", "-m", "not slow", *(f"crm_assets_tests/{name}" for name in TESTS))


@pytest.mark.long
def test_list_without_updated_at_is_read_in_full_with_history(tmp_path: Path) -> None:
    copy = copy_of_the_project(tmp_path)
    add_endpoint(copy, '        "notes": Endpoint("/v1/notes", "notes"),\n')
    [snapshot] = re.findall(r"```yaml\n(snapshots:.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for path, text in {**NOTES, "dbt/snapshots/notes_history.yml": snapshot}.items():
        (copy / "crm_assets" / path).write_text(text, encoding="utf-8")
    assert python(copy, "-c", RUN_NOTES).endswith("[(7, False), (8, True)] [(7, False)]\n")


@pytest.mark.long
def test_wrong_schema_stops_commands_with_its_file_and_line(tmp_path: Path) -> None:
    copy = copy_of_the_project(tmp_path)
    file = copy / "crm_assets" / "source" / "schemas" / "open_tasks.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("data_type: bigint", "data_type: int", 1), "utf-8")
    with pytest.raises(AssertionError, match=rf"{file}:8: columns.id.data_type is 'int': it must be 'text', 'bigint'"):
        python(copy, "-m", "dagster", "definitions", "validate", "-m", "crm_assets.definitions")
