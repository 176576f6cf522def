"""Loads DuckDB's extensions from Python packages if installed. DuckDB downloads the others when needed.

DuckDB checks the signature of each, which takes 0.1 to 0.2 s of CPU: the packages hold DuckDB's own signed files.
"""

from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb

ONLY_PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
)
"""With all extensions from packages, DuckDB downloads no others."""


def connected_with(names: Collection[str], config: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    """A connection to an empty database in memory, with extensions.

    Args:
        names: The extensions. Those with a package `duckdb-extension-<name>` of DuckDB's version are loaded from it.
        config: DuckDB's configuration.
    """
    files = [file for name in names for file in _packaged(name)]
    connection = duckdb.connect(config={**config, **(ONLY_PACKAGES if len(files) == len(names) else {})})
    for file in files:
        connection.load_extension(str(file))
    return connection


def _packaged(name: str) -> list[Path]:
    package = find_spec(f"duckdb_extension_{name}")
    folders = (package and package.submodule_search_locations) or ()
    files = [Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension" for folder in folders]
    return [file for file in files if file.exists()]
