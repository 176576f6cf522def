"""Folders: where a command was started, where the project is, and where data are kept."""

import os
from pathlib import Path

PACKAGE_PARENT = Path(__file__).resolve().parent.parent.parent
"""The project's folder in a checkout; otherwise site-packages or the like."""


def working_folder() -> Path:
    """Where the command was started."""
    return Path.cwd()


def checkout() -> Path | None:
    """The project's folder; None if the package is installed and has no project folder."""
    return PACKAGE_PARENT if (PACKAGE_PARENT / "pyproject.toml").is_file() else None


def project_folder() -> Path | None:
    """The folder of the project's settings: `DLT_PROJECT_DIR`, as for dlt itself, or the checkout."""
    configured = os.environ.get("DLT_PROJECT_DIR")
    return Path(configured).absolute() if configured else checkout()


def settings_folders() -> list[Path]:
    """The folders that settings are read from, the one with the highest precedence first."""
    return list(dict.fromkeys(folder for folder in (working_folder(), project_folder()) if folder))


def default_data_dir() -> Path:
    """`data/` in the checkout, wherever a command was started; never inside an installed package."""
    return (checkout() or working_folder()) / "data"
