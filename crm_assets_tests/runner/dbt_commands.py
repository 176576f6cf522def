"""dbt, which `make test-dbt` installs in an environment of its own."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from crm_assets.runner.project import DBT_DIR
from crm_assets_tests.processes import completed

ROOT = Path(__file__).parents[2]
DBT = ROOT / ".venv-dbt" / "bin" / "dbt"
TIMEZONE = "America/New_York"


def run_dbt(
    *arguments: str,
    database: Path,
    project: Path = DBT_DIR,
    program: str = "dbt",
    environment: Mapping[str, str] | None = None,
) -> str:
    """Runs dbt, or a program beside it, on a database. Returns what it prints."""
    zone = f"{{reporting_timezone: {TIMEZONE}}}"
    options = ["--project-dir", str(project), "--profiles-dir", str(project), "--no-use-colors", "--vars", zone]
    ran: subprocess.CompletedProcess[str] = completed(
        [str(DBT.with_name(program)), *arguments, *(options if program == "dbt" else [])],
        cwd=database.parent,
        env={
            "PATH": os.defpath,
            "HOME": str(database.parent),
            "CRM_DATA_DIR": str(database.parent),
            "CRM_DATABASE": database.stem,
            "CRM_DBT_PROJECT": str(project),
            "DBT_TARGET_PATH": str(database.parent / "target"),
            "DBT_LOG_PATH": str(database.parent / "target"),
            **(environment or {}),
        },
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
