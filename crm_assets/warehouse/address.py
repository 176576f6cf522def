"""Chooses the warehouse, from `CRM_WAREHOUSE` and `CRM_WAREHOUSE_FILES`.

The sandbox and each CRM with a name have their own file, catalog schema or database: records of two CRMs never mix.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crm_assets.settings import DEFAULT_CRM, Crm, CrmSettings, resolve_settings
from crm_assets.settings.finding import find
from crm_assets.warehouse.backend import Backend
from crm_assets.warehouse.duckdb_file import DuckDBFile
from crm_assets.warehouse.lake.address import PREFIX, LakeAddress
from crm_assets.warehouse.lake.backend import Lake
from crm_assets.warehouse.lock import Announce
from crm_assets.warehouse.motherduck import MotherDuck

MOTHERDUCK = "md:"


def backend_at(
    address: str, wait: float, config: Mapping[str, Any], announce: Announce, crm: Crm = DEFAULT_CRM
) -> Backend:
    """The warehouse at an address, or the configured one.

    Args:
        address: The path of a DuckDB file; if empty, the configured warehouse.
        wait: Seconds to wait for other writers.
        config: DuckDB's configuration.
        announce: Called with messages about waiting.
        crm: The CRM whose records the warehouse keeps.

    Raises:
        SettingsError: A setting is missing or not allowed.
    """
    if address:
        return DuckDBFile(Path(address), wait, config, announce)
    settings = resolve_settings(crm)
    configured = settings.warehouse.get_secret_value() if settings.warehouse else ""
    name = "sandbox" if settings.is_sandbox else crm.name
    if configured.startswith(PREFIX):
        files = settings.warehouse_files.get_secret_value() if settings.warehouse_files else ""
        lake = LakeAddress.of(configured, files, name)
        return Lake(lake, settings.data_dir, wait, config, announce)
    if configured.startswith(MOTHERDUCK):
        return MotherDuck.of(configured, settings.data_dir, config, name)
    return DuckDBFile(configured_path(settings, name), wait, config, announce)


def has_maintenance() -> bool:
    """Whether the configured kind of warehouse needs regular maintenance. Never raises."""
    return str(find().values.get("warehouse", "")).startswith(PREFIX)


def configured_path(settings: CrmSettings, name: str) -> Path:
    """The path of the DuckDB file: the configured one, or the default in the data directory; `name` beside it."""
    configured = settings.warehouse.get_secret_value() if settings.warehouse else ""
    path = Path(configured).expanduser().absolute() if configured else settings.data_dir / "crm.duckdb"
    return path.with_name(f"{name}.duckdb") if name else path
