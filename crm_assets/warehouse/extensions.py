"""DuckDB's extensions, from Python packages where these are installed. DuckDB downloads the others when needed."""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import duckdb


def load_extensions(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> None:
    """Loads those extensions that a package `duckdb-extension-<name>` of DuckDB's version brings.

    DuckDB checks that they are its own.
    """
    for name in names:
        package = find_spec(f"duckdb_extension_{name}")
        for folder in (package and package.submodule_search_locations) or ():
            file = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
            if file.exists():
                connection.load_extension(str(file))
