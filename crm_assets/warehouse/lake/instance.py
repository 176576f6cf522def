"""The DuckDB instance of a lake, which its connections share one after another, and its extensions.

Extensions come from Python packages if installed; DuckDB downloads the others when needed. It checks the signature of
each, which takes 0.1 to 0.2 s of CPU: the packages hold DuckDB's own signed files.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb

CATALOG = "lake"
"""The catalog name under which a lake is attached."""


@dataclass
class LakeInstance:
    """Is kept open for a run if allowed, since DuckDB checks the signatures of extensions in each new instance.

    The lake is attached either to read or to write, so that it has one session of PostgreSQL.

    Attributes:
        connect: Opens an instance.
        attach: Attaches the lake to a connection; whether read-only.
        keeps: Whether it stays open after use.
    """

    connect: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
    attach: Callable[[duckdb.DuckDBPyConnection, bool], None]
    keeps: bool = False
    _opened: ExitStack = field(default_factory=ExitStack)
    _connection: duckdb.DuckDBPyConnection | None = None
    _is_read_only: bool | None = None
    _is_in_use: bool = False

    @contextmanager
    def connected(self, *, read_only: bool | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with the lake attached. One within another has an instance for itself.

        Args:
            read_only: Whether the lake is attached to read; None: as it is, or else to write.
        """
        if read_only is None:
            read_only = self._is_read_only or False
        if self._is_in_use:
            with self.connect() as connection:
                self.attach(connection, read_only)
                yield connection
            return
        self._is_in_use = True
        try:
            with closing(self._attached(read_only=read_only).cursor()) as connection:
                yield connection
        except BaseException:
            self.close()  # after any error the next connection is that of a new instance
            raise
        finally:
            self._is_in_use = False
            if not self.keeps:
                self.close()

    def close(self) -> None:
        """Closes the instance."""
        self._connection, self._is_read_only = None, None
        self._opened.close()

    def _attached(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self._connection = self._opened.enter_context(self.connect())
        if self._is_read_only is not read_only:
            if self._is_read_only is not None:
                self._connection.execute(f"detach {CATALOG}")
            self.attach(self._connection, read_only)
            self._is_read_only = read_only
        return self._connection


ONLY_PACKAGES: Mapping[str, str] = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
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
