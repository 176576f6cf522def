"""Which warehouse is in use: what `CRM_WAREHOUSE` and `CRM_WAREHOUSE_FILES` name, or the default."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crm_assets.settings import resolve_settings
from crm_assets.warehouse.backend import Backend
from crm_assets.warehouse.data_dir import database_path
from crm_assets.warehouse.duckdb_file import DuckDBFile
from crm_assets.warehouse.lock import Announce


def backend_at(address: str, wait: float, config: Mapping[str, Any], announce: Announce) -> Backend:
    """The warehouse at an address, or the configured one.

    Args:
        address: As in `CRM_WAREHOUSE`; empty: as configured.
        wait: Seconds to wait while others are writing.
        config: DuckDB's configuration.
        announce: Called with sentences about waiting.
    """
    path = Path(address) if address else database_path(resolve_settings())
    return DuckDBFile(path, wait, config, announce)
