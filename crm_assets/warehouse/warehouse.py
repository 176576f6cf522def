"""The warehouse as Dagster's resource: the same methods whatever kind it is of."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import duckdb
from dagster import InitResourceContext, get_dagster_logger
from dagster_duckdb import DuckDBResource
from pydantic import Field, PrivateAttr

from crm_assets.source.http.limits import Ledger
from crm_assets.warehouse.address import backend_at
from crm_assets.warehouse.backend import Backend, Published


class Warehouse(DuckDBResource):
    """dagster-duckdb's resource, which also closes when the body raises, can open read-only, and waits for its turn."""

    database: str = Field(
        default="", description="Path of a DuckDB file. Empty: the warehouse that CRM_WAREHOUSE names."
    )
    lock_wait: float = Field(default=600, ge=0, description="Seconds to wait while others are writing.")

    _opened: Backend | None = PrivateAttr(default=None)
    _until_end_of_run: ExitStack | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator["Warehouse"]:
        """Keeps connections, where that keeps nobody waiting, until the run or its process ends."""
        try:
            with ExitStack() as self._until_end_of_run:
                yield self
        finally:
            self._opened = self._until_end_of_run = None

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
        self, *, read_only: bool = False, tables: Collection[str] = ()
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection in which `raw.accounts` is a table; closed at the end whatever happens.

        Args:
            read_only: Whether writing is refused.
            tables: The only ones whose rows will be changed, such as `raw.accounts`; empty: any. Others can change
                other tables meanwhile, if the warehouse is of a kind that allows it.

        Raises:
            WarehouseBusy: Others were writing for longer than `lock_wait`.
            WarehouseUnreachable: It could not be opened.
            FileNotFoundError: Opened read-only, and nothing was written yet.
        """
        with self._backend.connected(read_only=read_only, tables=tables) as connection:
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

    def maintain(self) -> Mapping[str, int]:
        """Does what is due from time to time; returns numbers about it. Reading and writing go on meanwhile."""
        return self._backend.maintain()

    def ledger(self, crm: str) -> AbstractContextManager[Ledger | None]:
        """Where all processes that share the warehouse count their requests to a CRM, if they do, while the body runs.

        Raises:
            WarehouseUnreachable: It could not be opened.
        """
        return self._backend.ledger(crm)

    @property
    def _backend(self) -> Backend:
        if self._opened is not None:
            return self._opened
        backend = backend_at(self.database, self.lock_wait, self.connection_config, get_dagster_logger().info)
        if self._until_end_of_run is not None:
            self._until_end_of_run.enter_context(backend.kept_open())
            self._opened = backend
        return backend
