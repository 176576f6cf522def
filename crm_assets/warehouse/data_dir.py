"""Where data are kept, and which database file is in use."""

import os
from pathlib import Path

from crm_assets import PROJECT_DIR
from crm_assets.settings import CrmSettings


def data_dir() -> Path:
    """The data directory: `CRM_DATA_DIR`, or `data/` in the project wherever the command was started."""
    return Path(os.environ.get("CRM_DATA_DIR") or PROJECT_DIR / "data").expanduser().absolute()


def database_path(settings: CrmSettings) -> Path:
    """The DuckDB file. Generated records have one of their own, so that they never mix with a real CRM's."""
    return data_dir() / ("sandbox.duckdb" if settings.is_sandbox else "crm.duckdb")
