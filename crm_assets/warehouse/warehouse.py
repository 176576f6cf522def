"""The warehouse as Dagster's resource: the same methods whatever kind it is of."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import duckdb
from dagster import InitResourceContext, get_dagster_logger
from dagster_duckdb import DuckDBResource
from pydantic import Field, PrivateAttr

from crm_assets.dagster_internals import other_steps_follow
from crm_assets.settings import resolve_settings
from crm_assets.source.errors import SourceError
from crm_assets.warehouse.address import backend_at
from crm_assets.warehouse.backend import Backend, Published
from crm_assets.warehouse.lake import LakeError, configured_lake, publish_to_lake
from crm_assets.warehouse.lock import WarehouseBusy


class Warehouse(DuckDBResource):
    """dagster-duckdb's resource, which also closes when the body raises, can open read-only, and waits for its turn."""

    database: str = Field(default="", description="Where the tables are kept. Empty: as CRM_WAREHOUSE says.")
    lock_wait: float = Field(default=600, ge=0, description="Seconds to wait while others are writing.")

    _opened: Backend | None = PrivateAttr(default=None)
    _until_end_of_run: ExitStack | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator["Warehouse"]:
        """Publishes when the run ends, if it changed anything. That it could not is logged, and fails nothing.

        Until then connections are kept, where that keeps nobody waiting.
        """
        try:
            with ExitStack() as self._until_end_of_run:
                yield self
        finally:
            self._opened = self._until_end_of_run = None
            try:
                if not other_steps_follow(context) and self.publish().is_new:
                    self.publish_to_lake()
            except (OSError, SourceError, WarehouseBusy, duckdb.Error) as error:
                get_dagster_logger().warning(f"The published copy stays as it was: {error}")
            except LakeError as error:
                get_dagster_logger().warning(f"The lake stays as it was: {error}")

    @property
    def name(self) -> str:
        """What messages call it, without passwords."""
        return self._backend.name

    @property
    def working_folder(self) -> Path:
        """A folder of this machine for files that a run leaves nothing of."""
        return self._backend.working_folder

    def check(self) -> None:
        """Makes sure, before anything is read, that what comes will find a place.

        Raises:
            WarehouseUnreachable: It would not.
        """
        self._backend.check()

    @contextmanager
    def get_connection(
        self, *, read_only: bool = False, table: str | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection in which `raw.accounts` is a table; closed at the end whatever happens.

        Args:
            read_only: Whether writing is refused.
            table: The only table whose rows will be changed, such as `raw.accounts`; None: any. Others can change other
                tables meanwhile, if the warehouse is of a kind that allows it.

        Raises:
            WarehouseBusy: Others were writing for longer than `lock_wait`.
            WarehouseUnreachable: It could not be opened.
            FileNotFoundError: Opened read-only, and nothing was written yet.
        """
        with self._backend.connected(read_only=read_only, table=table) as connection:
            yield connection

    def read_connection(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection for reading, and for a short time: whoever wants to write may have to wait for it."""
        return self.get_connection(read_only=True)

    def publish(self) -> Published:
        """Lets readers see what is in the tables, as one whole state.

        Raises:
            OSError: There is no room for a copy, say. Readers see what they saw before.
            WarehouseBusy: Others were writing for longer than `lock_wait`.
        """
        return self._backend.publish()

    def erase(self) -> None:
        """Leaves nothing anywhere of what was taken out of the tables; readers see the tables as they are now.

        Raises:
            OSError: There is no room for a second file. The next run tries again.
            WarehouseBusy: Others were writing for longer than `lock_wait`.
        """
        self._backend.erase()

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
        tables = publish_to_lake(Path(self.publish().where), lake, self.lock_wait, self.connection_config)
        get_dagster_logger().info(f"{tables} tables are in the lake as they are now")

    @property
    def _backend(self) -> Backend:
        if self._opened is not None:
            return self._opened
        backend = backend_at(self.database, self.lock_wait, self.connection_config, get_dagster_logger().info)
        if self._until_end_of_run is not None:
            self._until_end_of_run.enter_context(backend.kept_open())
            self._opened = backend
        return backend
