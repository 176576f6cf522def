"""A DuckDB file as the warehouse: opened by one process at a time, always closed again, and copied for readers."""

import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from crm_assets.errors import NothingStored, WarehouseBusy
from crm_assets.warehouse.backend import Change, Published
from crm_assets.warehouse.duckdb_messages import lock_holder
from crm_assets.warehouse.lock import Announce, writer_lock
from crm_assets.warehouse.private_files import private_files, working_folder
from crm_assets.warehouse.published import is_published, prepare_rewrite, publish, published_path, rewrite
from crm_assets.warehouse.transactions import Reconnecting


@dataclass(frozen=True)
class DuckDBFile:
    """One file.

    Attributes:
        path: Its path. The first write creates it.
        wait: Seconds to wait while another process has it open.
        config: DuckDB's configuration.
        announce: Called with messages about waiting.
    """

    path: Path
    wait: float
    config: Mapping[str, Any]
    announce: Announce

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def working_folder(self) -> Path:
        """The file's own folder."""
        return self.path.parent

    @property
    def stamp(self) -> tuple[int, int, int] | None:
        """Changes whenever a process has written to the file. None without a file, or if its last writer was killed."""
        if not self.path.exists() or _log(self.path).exists():
            return None
        stat = self.path.stat()
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    @contextmanager
    def connected(
        self, *, read_only: bool, tables: Collection[str] = (), if_free: Collection[str] = ()
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to the file. Only one process can have one at a time, even for reading."""
        if read_only and not self.path.exists():
            raise NothingStored(f"{self.path} does not exist yet: materialize the assets of group raw first")
        with (
            self._locked() as config,
            Reconnecting(partial(self._connected, config, read_only=read_only)) as connection,
        ):
            yield connection

    def publish(self) -> Published:
        """Copies the file for readers, unless the copy is up to date."""
        is_new = _log(self.path).exists() or not is_published(self.path)
        if is_new:
            with self._locked() as config:
                if _log(self.path).exists():
                    # Left by a killed process. Opening and closing the database merges it.
                    with self._connected(config, read_only=False):
                        pass
                publish(self.path)
        return Published(str(published_path(self.path)), is_new)

    def erase(self, record: Change) -> None:
        """Rewrites the file and its published copy."""
        with self._locked() as config:
            with self._connected(config, read_only=False) as connection:
                broken = prepare_rewrite(connection)
            rewrite(self.path, config, record)
        if broken:
            self.announce(f"Dropped views that read missing tables: {', '.join(broken)}")

    @contextmanager
    def _locked(self) -> Iterator[Mapping[str, Any]]:
        """Holds the lock while the body runs, in which all files are private. Yields DuckDB's configuration."""
        with (
            private_files(),
            writer_lock(self.path, self.wait, self.announce),
            working_folder(self.path.absolute().parent) as spilled,
        ):
            yield {"temp_directory": str(spilled), **self.config}

    @contextmanager
    def _connected(self, config: Mapping[str, Any], *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        _log(self.path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(self._connect(config, read_only=read_only)) as connection:
            if not read_only:
                with suppress(PermissionError):  # another user's file
                    self.path.chmod(0o600)  # it may have been copied here from a backup
                # Earlier releases had temporary files here, which stay if the process is killed.
                shutil.rmtree(f"{self.path}.tmp", ignore_errors=True)
            connection.execute("set TimeZone = 'UTC'")
            yield connection

    def _connect(self, config: Mapping[str, Any], *, read_only: bool) -> duckdb.DuckDBPyConnection:
        """Connects. Waits while a process that does not use the lock (a notebook, a DuckDB shell) has the file open."""
        give_up_at = time.monotonic() + self.wait
        announced = False
        while True:
            try:
                return duckdb.connect(str(self.path), read_only=read_only, config=dict(config))
            except duckdb.IOException as error:
                holder = lock_holder(error)
                if holder is None:
                    raise
                if time.monotonic() >= give_up_at:
                    raise WarehouseBusy(
                        f"{self.path} was held open for {self.wait:.0f} s by {holder}. Close it there (a notebook's "
                        "connection, a DuckDB shell), then run this again"
                    ) from None
                if not announced:
                    self.announce(f"Waiting for {self.path.name}, held open by {holder}")
                    announced = True
            time.sleep(0.1)


def _log(database: Path) -> Path:
    """DuckDB's write-ahead log.

    DuckDB takes what follows a question mark, even in a folder's name, for options: `.wal` comes before the first one.
    """
    before, mark, behind = str(database.resolve()).partition("?")
    return Path(f"{before}.wal{mark}{behind}")
