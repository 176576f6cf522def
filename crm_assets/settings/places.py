"""The folders that matter: where a command was started, where the project is, where data go."""

import os
from pathlib import Path

PACKAGE_PARENT = Path(__file__).resolve().parent.parent.parent
"""The project, if this is a checkout; otherwise site-packages or the like."""


def working_folder() -> Path:
    """Where the command was started."""
    return Path.cwd()


def checkout() -> Path | None:
    """The project's folder; None when the package is installed, as it has no folder of its own then."""
    return PACKAGE_PARENT if (PACKAGE_PARENT / "pyproject.toml").is_file() else None


def project_folder() -> Path | None:
    """Where the project's settings are: `DLT_PROJECT_DIR`, as for dlt itself, or the checkout."""
    configured = os.environ.get("DLT_PROJECT_DIR")
    return Path(configured).absolute() if configured else checkout()


def settings_folders() -> list[Path]:
    """Where settings are looked for, the one that counts first."""
    return list(dict.fromkeys(folder for folder in (working_folder(), project_folder()) if folder))


def default_data_dir() -> Path:
    """`data/` in the checkout, wherever a command was started. Never below an installed package."""
    return (checkout() or working_folder()) / "data"
