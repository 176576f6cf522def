"""The DuckDB warehouse: one file, opened by one process at a time, always closed again, copied at the end of a run."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import duckdb
from dagster import InitResourceContext, get_dagster_logger
from dagster_duckdb import DuckDBResource
from pydantic import Field

from crm_assets.dagster_internals import other_steps_follow
from crm_assets.settings import resolve_settings
from crm_assets.source.errors import SourceError
from crm_assets.warehouse.data_dir import database_path
from crm_assets.warehouse.duckdb_messages import lock_holder
from crm_assets.warehouse.lake import LakeError, configured_lake, publish_to_lake
from crm_assets.warehouse.lock import WarehouseBusy, writer_lock
from crm_assets.warehouse.published import is_published, publish, published_path


class Warehouse(DuckDBResource):
    """dagster-duckdb's resource, which also closes when the body raises, can open read-only, and waits for the lock."""

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
        """Publishes when the run ends, if it changed anything. That it could not is logged, and fails nothing."""
        try:
            yield self
        finally:
            try:
                if not other_steps_follow(context) and self.publish():
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
        with self._locked(path):
            if path.with_name(f"{path.name}.wal").exists():
                # A killed process left it. Opened and closed, the database has it in itself.
                with self._connected(path, read_only=False):
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
    def get_connection(self, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection whose session thinks in UTC; closed at the end whatever happens.

        Raises:
            WarehouseBusy: Another process held the file for longer than `lock_wait`.
            FileNotFoundError: Opened read-only, and there is no file yet.
        """
        path = self.path
        if read_only and not path.exists():
            raise FileNotFoundError(f"{path} does not exist yet: materialize the assets of group raw first")
        with self._locked(path), self._connected(path, read_only=read_only) as connection:
            yield connection

    def read_connection(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection for reading, and for a short time: whoever wants to write waits for it."""
        return self.get_connection(read_only=True)

    def _locked(self, path: Path) -> AbstractContextManager[None]:
        return writer_lock(path, self.lock_wait, get_dagster_logger().info)

    @contextmanager
    def _connected(self, path: Path, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        is_new = not path.exists()
        with closing(self._connect(path, read_only=read_only)) as connection:
            if is_new:
                # It will hold personal data. DuckDB makes it as all files are made, and refuses one made beforehand.
                path.chmod(0o600)
            connection.execute("set TimeZone = 'UTC'")
            yield connection

    def _connect(self, path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        """Connects, waiting while a process that knows nothing of our lock (a notebook, a DuckDB shell) has it open."""
        give_up_at = time.monotonic() + self.lock_wait
        announced = False
        while True:
            try:
                return duckdb.connect(str(path), read_only=read_only, config=self.connection_config)
            except duckdb.IOException as error:
                holder = lock_holder(error)
                if holder is None:
                    raise
                if time.monotonic() >= give_up_at:
                    raise WarehouseBusy(
                        f"{path} was held open for {self.lock_wait:.0f} s by {holder}. Close it there (a notebook's "
                        "connection, a DuckDB shell), then run this again"
                    ) from None
                if not announced:
                    get_dagster_logger().info(f"Waiting for {path.name}, held open by {holder}")
                    announced = True
            time.sleep(0.1)
