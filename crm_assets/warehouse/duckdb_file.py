"""A DuckDB file as the warehouse: opened by one process at a time, always closed again, and copied for readers."""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from crm_assets.errors import NothingStored, WarehouseBusy
from crm_assets.settings import Crm
from crm_assets.warehouse.backend import Published
from crm_assets.warehouse.duckdb_messages import lock_holder
from crm_assets.warehouse.lock import Announce, writer_lock
from crm_assets.warehouse.published import is_published, publish, published_path, take_over
from crm_assets.warehouse.reconnecting import Reconnecting
from crm_assets.warehouse.rewriting import prepare, write_anew


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

    def check(self) -> None:
        """Does nothing: the working folder in the same place is created before anything is read."""

    @contextmanager
    def connected(self, *, read_only: bool, tables: Collection[str] = ()) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to the file. Only one process can have one at a time, even for reading."""
        if read_only and not self.path.exists():
            raise NothingStored(f"{self.path} does not exist yet: materialize the assets of group raw first")
        with self._locked(), Reconnecting(partial(self._connected, read_only=read_only)) as connection:
            yield connection

    def kept_open(self) -> AbstractContextManager[None]:
        """Keeps no connection: other processes wait for the file."""
        return nullcontext()

    def publish(self, crm: Crm) -> Published:
        """Copies a CRM's tables for readers, unless the copy is up to date."""
        is_new = not is_published(self.path, crm)
        if is_new:
            with self._locked():
                if _log(self.path).exists():
                    # Left by a killed process. Opening and closing the database merges it.
                    with self._connected(read_only=False):
                        pass
                publish(self.path, crm, self.config)
        return Published(str(published_path(self.path, crm)), is_new)

    def erase(self, crm: Crm) -> None:
        """Rewrites the file and the CRM's published copy."""
        with self._locked():
            with self._connected(read_only=False) as connection:
                broken = prepare(connection)
            # The database comes last: until it is replaced, it records that this is still to be done.
            if crm.name:
                publish(self.path, crm, self.config)
                write_anew(self.path, self.path, self.config, crm)
            else:
                write_anew(self.path, published_path(self.path, crm), self.config, crm)
                take_over(self.path, crm)
        if broken:
            self.announce(f"Dropped views that read missing tables: {', '.join(broken)}")

    def maintain(self) -> Mapping[str, int]:
        """Does nothing: DuckDB reuses free blocks itself."""
        return {}

    def ledger(self, crm: str) -> AbstractContextManager[None]:
        """None: the sync log tells what was sent."""
        return nullcontext()

    def _locked(self) -> AbstractContextManager[None]:
        return writer_lock(self.path, self.wait, self.announce)

    @contextmanager
    def _connected(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        is_new = not self.path.exists()
        _log(self.path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(self._connect(read_only=read_only)) as connection:
            if is_new:
                # It will hold personal data. DuckDB creates it with default permissions, and refuses an empty file.
                self.path.chmod(0o600)
            connection.execute("set TimeZone = 'UTC'")
            yield connection

    def _connect(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        """Connects. Waits while a process that does not use the lock (a notebook, a DuckDB shell) has the file open."""
        give_up_at = time.monotonic() + self.wait
        announced = False
        while True:
            try:
                return duckdb.connect(str(self.path), read_only=read_only, config=dict(self.config))
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
