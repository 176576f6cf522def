"""A copy of the project, as git keeps it."""

import shutil
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def copy_of_the_project(folder: Path) -> Path:
    """What git keeps of the project, without anything that was set up here but the installed packages."""
    for name in ("crm_assets", "crm_assets_tests"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "Makefile", "dagster.yaml"):
        shutil.copy2(PROJECT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder
