"""Loads DuckDB's extensions from Python packages if installed. DuckDB downloads the others when needed."""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import duckdb


def load_extensions(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> None:
    """Loads extensions from installed packages `duckdb-extension-<name>` of DuckDB's version.

    DuckDB checks their signatures.
    """
    for name in names:
        package = find_spec(f"duckdb_extension_{name}")
        for folder in (package and package.submodule_search_locations) or ():
            file = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
            if file.exists():
                connection.load_extension(str(file))
