"""A copy of the project, as git keeps it."""

import shutil
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]

FOLDERS = ("crm_assets", "crm_assets_tests", "docs")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")
FILES = (*PAGES, "pyproject.toml", "constraints.txt", "Makefile", "dagster.yaml", ".env.example")


def copy_of_the_project(folder: Path) -> Path:
    """What git keeps of the project, without anything that was set up here but the installed packages."""
    for name in FOLDERS:
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy2(PROJECT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder
