"""A DuckDB file as the warehouse: opened by one process at a time, always closed again, and copied for readers.

The published copy is a second file, so that readers and runs never block each other.
"""

import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from crm_assets.errors import NothingStored, WarehouseBusy, WarehouseError
from crm_assets.settings import named_now
from crm_assets.warehouse.duckdb_messages import lock_holder
from crm_assets.warehouse.private_files import private_files, working_folder
from crm_assets.warehouse.sharing import Announce, Change, KeptOpen, Published, writer_lock
from crm_assets.warehouse.tables import SMALL, can_be_read, identifier, literal, stored_tables
from crm_assets.warehouse.transactions import Reconnecting

FOREIGN_KEYS = "select distinct schema_name, table_name from duckdb_constraints() where constraint_type = 'FOREIGN KEY'"

T = TypeVar("T")

KEPT_SECONDS = 1.0
"""How long a file stays open for the next model, which takes 50 ms of CPU to open, checkpoint and close. So long others
may have to wait in addition."""


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
    def stamp(self) -> object:
        """Changes whenever another process has written to the file. None if that is not known.

        While there is a write-ahead log, it is the connection that is kept open: this process has written.
        """
        if not self.path.exists() or _log(self.path).exists():
            return self._kept.value
        stat = self.path.stat()
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    @cached_property
    def _kept(self) -> KeptOpen[duckdb.DuckDBPyConnection]:
        return KeptOpen(partial(self._opened, read_only=False), KEPT_SECONDS)

    @contextmanager
    def connected(
        self, *, read_only: bool, tables: Collection[str] = (), if_free: Collection[str] = (), keep: bool = False
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to the file. Only one process can have one at a time, even for reading."""
        if read_only and not self.path.exists():
            raise NothingStored(
                f"{self.path} does not exist yet: materialize the raw assets first, such as with: "
                f"crm-assets run {named_now('crm_full_refresh')}"
            )
        if not keep:
            self.close()
        with self._kept.used() if keep else self._opened(read_only=read_only) as connection:
            yield connection

    def close(self) -> None:
        """Closes what is kept open."""
        self._kept.close()

    def publish(self) -> Published:
        """Copies the file for readers, unless the copy is up to date."""
        self.close()
        log, copy = _log(self.path), published_path(self.path)
        is_new = log.exists() or (self.path.exists() and _modified(self.path) != _modified(copy))
        if is_new:
            with self._locked() as config:
                if log.exists():
                    # Left by a killed process. Opening and closing the database merges it.
                    with self._connected(config, read_only=False):
                        pass
                replace(copy, self.path)
        return Published(str(copy), is_new)

    def erase(self, record: Change) -> None:
        """Rewrites the file and its published copy.

        The database is replaced last: until then, it does not have what `record` notes. If the process is killed, both
        files are as before or as after.
        """
        self.close()
        with self._locked() as config, working_folder(self.path.absolute().parent) as folder:
            with self._connected(config, read_only=False) as connection:
                broken = _drop_broken_views(connection)
                connection.execute("checkpoint")
            fresh = rewritten(self.path, folder, config, record)
            replace(published_path(self.path), fresh)
            replace(self.path, fresh)
        if broken:
            self.announce(f"Dropped views that read missing tables: {', '.join(broken)}")

    @contextmanager
    def _opened(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        with (
            self._locked() as config,
            Reconnecting(partial(self._connected, config, read_only=read_only)) as connection,
        ):
            yield connection

    @contextmanager
    def _locked(self) -> Iterator[Mapping[str, Any]]:
        """Holds the lock while the body runs, in which all files are private. Yields DuckDB's configuration."""
        with (
            private_files(),
            writer_lock(self.path, self.wait, self.announce),
            working_folder(self.path.absolute().parent) as spilled,
        ):
            _unfinished(published_path(self.path).resolve()).unlink(missing_ok=True)  # of a process that was killed
            yield {"temp_directory": str(spilled), **self.config}

    @contextmanager
    def _connected(self, config: Mapping[str, Any], *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        _log(self.path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create(self.path)
        threads = {"threads": 1} if self.path.stat().st_size < SMALL else {}
        connect = partial(duckdb.connect, str(self.path), read_only=read_only, config={**threads, **config})
        with closing(when_closed_elsewhere(self.path, self.wait, self.announce, connect)) as connection:
            if not read_only:
                with suppress(PermissionError):  # another user's file
                    self.path.chmod(0o600)  # it may have been copied here from a backup
                # Earlier releases had temporary files here, which stay if the process is killed.
                shutil.rmtree(f"{self.path}.tmp", ignore_errors=True)
                self.path.with_suffix(f".rewritten{self.path.suffix}").unlink(missing_ok=True)
            connection.execute("set TimeZone = 'UTC'")
            yield connection


def _log(database: Path) -> Path:
    """DuckDB's write-ahead log.

    DuckDB takes what follows a question mark, even in a folder's name, for options: `.wal` comes before the first one.
    """
    before, mark, behind = str(database.resolve()).partition("?")
    return Path(f"{before}.wal{mark}{behind}")


def published_path(database: Path) -> Path:
    """The path of a DuckDB file's published copy: `crm.published.duckdb` next to `crm.duckdb`."""
    return database.with_suffix(".published.duckdb")


def when_closed_elsewhere(database: Path, wait: float, announce: Announce, connect: Callable[[], T]) -> T:
    """Connects. Waits while a process that does not use the lock (a notebook, a DuckDB shell) has the file open.

    Raises:
        WarehouseBusy: It was open for `wait` seconds.
    """
    give_up_at = time.monotonic() + wait
    announced = False
    while True:
        try:
            return connect()
        except duckdb.IOException as error:
            holder = lock_holder(error)
            if holder is None:
                raise
            if time.monotonic() >= give_up_at:
                raise WarehouseBusy(
                    f"{database} was held open for {wait:.0f} s by {holder}. Close it there (a notebook's "
                    "connection, a DuckDB shell), then run this again"
                ) from None
            if not announced:
                announce(f"Waiting for {database.name}, held open by {holder}")
                announced = True
        time.sleep(0.1)


def create(database: Path) -> None:
    """Creates an empty file, unless there is one, as a whole: a part of a file, on a full disk, is no database."""
    if not database.exists():
        fresh = _unfinished(database.resolve())
        fresh.unlink(missing_ok=True)
        duckdb.connect(str(fresh)).close()
        _log(database).unlink(missing_ok=True)  # of a database that was moved away
        fresh.replace(database.resolve())


def _modified(file: Path) -> int | None:
    return file.stat().st_mtime_ns if file.exists() else None


def rewritten(database: Path, folder: Path, config: Mapping[str, Any], record: Change = lambda _: None) -> Path:
    """Writes a file with the same tables and views as a database, and nothing else. Returns its path.

    DuckDB marks the blocks of deleted data as free, but does not overwrite them until they are reused.

    Args:
        database: Closed, with an empty write-ahead log, and without views that read missing tables.
        folder: A working folder, which is removed even if the process is killed.
        config: DuckDB's configuration.
        record: Called with the new file, to note in it what is erased.

    Raises:
        WarehouseError: Tables have foreign keys.
    """
    fresh = folder / "rewritten.duckdb"
    _log(fresh).parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # elsewhere if a folder has a question mark
    with closing(duckdb.connect(str(fresh), config=dict(config))) as connection:
        connection.execute(f"attach {literal(str(database))} as stored (read_only)")
        try:
            connection.execute("copy from database stored to rewritten")
        except duckdb.ConstraintException:  # DuckDB 1.5 does not copy tables after those that they refer to
            connection.rollback()
            listed = ", ".join(sorted(map(".".join, connection.execute(FOREIGN_KEYS).fetchall())))
            raise WarehouseError(
                f"DuckDB cannot copy foreign keys, so removed values stay in {database}. Create these tables again "
                f"without them, or drop them, and run this again: {listed}"
            ) from None
        connection.execute("detach stored")
        record(connection)
    return fresh


def _drop_broken_views(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Drops the views that read missing tables, and returns them."""
    views = [identifier(schema, name) for schema, name, kind in stored_tables(connection) if kind == "view"]
    broken = [view for view in views if not can_be_read(connection, view)]
    for view in broken:
        connection.execute(f"drop view {view}")
    return broken


def _unfinished(target: Path) -> Path:
    return target.with_suffix(".unfinished")


def replace(target: Path, source: Path, mode: int = 0o600) -> None:
    """Replaces a file by a copy of a database that is closed, with an empty write-ahead log, while the lock is held.

    Of a link to a file, that file is replaced: it would keep its values elsewhere.

    Raises:
        OSError: For example, the disk is full. The previous file is still there.
    """
    target = target.resolve()
    unfinished = _unfinished(target)
    try:
        with source.open("rb") as read, unfinished.open("wb") as written:
            shutil.copyfileobj(read, written, 2**20)
            written.flush()
            os.fsync(written.fileno())
        # The copy has the database's modification time, which later shows whether it is up to date.
        shutil.copystat(source, unfinished)
        unfinished.chmod(mode)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
