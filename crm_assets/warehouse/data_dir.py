"""Which database file is in use."""

from pathlib import Path

from crm_assets.settings import CrmSettings


def database_path(settings: CrmSettings) -> Path:
    """The DuckDB file. Generated records have one of their own, so that they never mix with a real CRM's."""
    return settings.data_dir / ("sandbox.duckdb" if settings.is_sandbox else "crm.duckdb")
