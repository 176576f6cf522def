"""The DuckDB warehouse: one file, opened by one writer at a time, always closed again, copied at the end of a run."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import duckdb
from dagster import InitResourceContext, get_dagster_logger
from dagster_duckdb import DuckDBResource
from pydantic import Field

from crm_assets.source.errors import SourceError
from crm_assets.source.settings import resolve_settings
from crm_assets.warehouse.data_dir import database_path
from crm_assets.warehouse.lake import LakeError, configured_lake, publish_to_lake
from crm_assets.warehouse.lock import WarehouseBusy, writer_lock
from crm_assets.warehouse.published import is_published, publish, published_path

OPENING_OR_CLOSING = Lock()
"""DuckDB refuses to open a file that another thread of the process is about to close."""


class Warehouse(DuckDBResource):
    """dagster-duckdb's resource, which also closes when the body raises, can open read-only, and waits its turn."""

    database: str = Field(
        default="",
        description="Path of the DuckDB file. Empty: crm.duckdb in the data directory, sandbox.duckdb for the sandbox.",
    )
    lock_wait: float = Field(default=600, ge=0, description="Seconds to wait while another process holds the file.")

    @property
    def path(self) -> Path:
        """The DuckDB file in use."""
        return Path(self.database) if self.database else database_path(resolve_settings())

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator["Warehouse"]:
        """Publishes when the run ends, if it changed anything. That it could not is told, and fails nothing."""
        try:
            yield self
        finally:
            try:
                if self.publish():
                    self.publish_to_lake()
            except (OSError, SourceError, WarehouseBusy, duckdb.Error) as error:
                get_dagster_logger().warning(f"The published copy stays as it was: {error}")
            except LakeError as error:
                get_dagster_logger().warning(f"The lake stays as it was: {error}")

    def publish(self) -> bool:
        """Copies the database for readers that must never be in the way. Returns whether there was anything new."""
        path = self.path
        if is_published(path):
            return False
        with writer_lock(path, self.lock_wait, get_dagster_logger().info):
            if path.with_name(f"{path.name}.wal").exists():
                # A killed process left it. Opened and closed, the database has it in itself.
                with _closing(self._connect(path, read_only=False)):
                    pass
            publish(path)
        return True

    def publish_to_lake(self) -> None:
        """Puts the analysts' tables into the lake, if one is configured. Generated records never get there.

        Raises:
            LakeError: The lake is as it was.
        """
        lake = configured_lake()
        if lake is None:
            return
        if resolve_settings().is_sandbox:
            get_dagster_logger().info("The sandbox's records are generated: they are not put into the lake")
            return
        tables = publish_to_lake(published_path(self.path), lake, self.lock_wait, self.connection_config)
        get_dagster_logger().info(f"{tables} tables are in the lake as they are now")

    @contextmanager
    def get_connection(self, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection whose session thinks in UTC; closed at the end whatever happens.

        Raises:
            WarehouseBusy: Another process held the file for longer than `lock_wait`.
            FileNotFoundError: Opened read-only, and there is no file yet.
        """
        path = self._existing_path() if read_only else self.path
        turn = writer_lock(path, self.lock_wait, get_dagster_logger().info)
        with turn, _owner_only(), _closing(self._connect(path, read_only)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            yield connection

    @contextmanager
    def look(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for a short look at what is committed, for which no other thread's turn has to end.

        Raises:
            WarehouseBusy: Another process held the file for longer than `lock_wait`.
            FileNotFoundError: There is no file yet.
        """
        path = self._existing_path()
        beside = writer_lock(path, self.lock_wait, get_dagster_logger().info, alone=False)
        with beside, _closing(self._connect(path, read_only=False)) as connection:
            yield connection

    def _existing_path(self) -> Path:
        path = self.path
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist yet: materialize the assets of group raw first")
        return path

    def _connect(self, path: Path, read_only: bool) -> duckdb.DuckDBPyConnection:
        """Connects, waiting while a process that knows nothing of our lock (a notebook, a DuckDB shell) has it."""
        give_up_at = time.monotonic() + self.lock_wait
        announced = False
        while True:
            try:
                # Within a process, connections share a file only if configured alike, and dlt configures nothing.
                with OPENING_OR_CLOSING:
                    return duckdb.connect(str(path), read_only=read_only, config=self.connection_config)
            except duckdb.ConnectionException as error:
                # A look beside a turn that only reads, or the other way round.
                if "different configuration" not in str(error) or time.monotonic() >= give_up_at:
                    raise
            except duckdb.IOException as error:
                if "Could not set lock" not in str(error):
                    raise
                holder = str(error).partition("held in ")[2].partition(". See")[0] or "another process"
                if time.monotonic() >= give_up_at:
                    raise WarehouseBusy(
                        f"{path} was held open for {self.lock_wait:.0f} s by {holder}. Close it there (a notebook's "
                        "connection, a DuckDB shell), then run this again"
                    ) from None
                if not announced:
                    get_dagster_logger().info(f"Waiting for {path.name}, held open by {holder}")
                    announced = True
            time.sleep(0.1)


@contextmanager
def _closing(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        yield connection
    finally:
        with OPENING_OR_CLOSING:
            connection.close()


@contextmanager
def _owner_only() -> Iterator[None]:
    """Has files made that their owner alone can read: the database and its write-ahead log hold personal data."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
