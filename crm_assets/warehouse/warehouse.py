"""The warehouse as a Dagster resource, of the kind that `CRM_WAREHOUSE` and `CRM_WAREHOUSE_FILES` choose.

The sandbox and each CRM with a name have their own file, catalog schema or database: records of two CRMs never mix.
"""

import gc
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import duckdb
from dagster import InitResourceContext, get_dagster_logger
from dagster_duckdb import DuckDBResource
from pydantic import Field, PrivateAttr

from crm_assets.settings import DEFAULT_CRM, Crm, find, resolve_settings
from crm_assets.settings.finding import NOT_FOR_TABLES
from crm_assets.warehouse.duckdb_file import DuckDBFile
from crm_assets.warehouse.lake.address import PREFIX, LakeAddress
from crm_assets.warehouse.lake.backend import Lake
from crm_assets.warehouse.motherduck import MotherDuck
from crm_assets.warehouse.sharing import Change, Published

MOTHERDUCK = "md:"

Backend = DuckDBFile | Lake | MotherDuck


@contextmanager
def rare_garbage_collection() -> Iterator[None]:
    """Makes Python's garbage collector run rarely while the body runs.

    Pages are hundreds of thousands of values without cycles, and so are parsed models. By default the collector would
    traverse these, and all objects of the imported libraries, again and again. The latter are excluded from collection
    for good.
    """
    before = gc.get_threshold()
    gc.unfreeze()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def has_maintenance() -> bool:
    """Whether the configured kind of warehouse needs regular maintenance. Never raises."""
    return str(find().values.get("warehouse", "")).startswith(PREFIX)


class Warehouse(DuckDBResource):
    """Extends dagster-duckdb's resource: closes connections on errors, opens read-only, and waits for the lock."""

    database: str = Field(default="", description="Path of a DuckDB file. If empty, the warehouse in CRM_WAREHOUSE.")
    lock_wait: float = Field(default=600, ge=0, description="Seconds to wait for other writers.")

    _crm: Crm = PrivateAttr(default=DEFAULT_CRM)
    _opened: dict[str, Backend] = PrivateAttr(default_factory=dict)
    _remembered: dict[str, tuple[object, Any]] = PrivateAttr(default_factory=dict)
    _until_end_of_run: ExitStack | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator["Warehouse"]:
        """Keeps connections open until the run or its process ends, if they do not block others.

        Meanwhile Python's garbage collector runs rarely.
        """
        try:
            with rare_garbage_collection(), ExitStack() as self._until_end_of_run:
                yield self
        finally:
            self._opened.clear()
            self._remembered.clear()
            self._until_end_of_run = None

    @property
    def crm(self) -> Crm:
        """The CRM whose tables are used."""
        return self._crm

    def of(self, crm: Crm) -> "Warehouse":
        """The warehouse of another CRM. Its connections end with the run as well."""
        other: Warehouse = self.model_copy()  # with the same open connections
        other._crm = crm
        return other

    @property
    def name(self) -> str:
        """The name in messages, without passwords."""
        return self._backend.name

    @property
    def working_folder(self) -> Path:
        """A local folder for temporary files."""
        return self._backend.working_folder

    @property
    def lake(self) -> Lake | None:
        """The lake, for what only a lake has; None if the warehouse is of another kind."""
        backend = self._backend
        return backend if isinstance(backend, Lake) else None

    @contextmanager
    def get_connection(
        self,
        *,
        read_only: bool = False,
        tables: Collection[str] = (),
        if_free: Collection[str] = (),
        keep: bool = False,
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection in UTC whose default catalog is the warehouse. It is closed at the end, if it is not kept.

        Args:
            read_only: Whether writing is refused.
            tables: The only tables whose rows will be changed, such as `raw.accounts`; empty: any. If the kind of
                warehouse allows it, others can change other tables meanwhile.
            if_free: Tables to which rows will be added, without waiting for others that write them. Rows are deleted
                only if `is_shared` says that nobody else may do so.
            keep: Whether a run may keep a file open for the next connection that is used like this one: for a second,
                in which other processes wait.

        Raises:
            WarehouseBusy: Other writers did not finish within `lock_wait` seconds.
            WarehouseUnreachable: It could not be opened.
            NothingStored: Read-only, and there is no database yet.
        """
        keep = keep and self._until_end_of_run is not None
        with self._backend.connected(read_only=read_only, tables=tables, if_free=if_free, keep=keep) as connection:
            yield connection

    def read_connection(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A read connection. Use it only briefly: writers may have to wait for it."""
        return self.get_connection(read_only=True)

    @property
    def stamp(self) -> Any:
        """Changes whenever somebody has written. None if that is not known."""
        return self._backend.stamp

    def remember(self, stamp: Any, state: Any) -> None:
        """Keeps what was read for `remembered`. `stamp`: the warehouse's from before the reading."""
        self._remembered[self._crm.name] = (stamp, state)

    def remembered(self, stamp: Any) -> Any:
        """What `remember` kept in this run, unless somebody has written since then; else None. `stamp`: that of now.

        Opening a DuckDB file takes 25 ms, locks of a lake as much, and each model would do so.
        """
        kept, _ = self._remembered.get(self._crm.name, (None, None))
        return self.last_remembered if stamp is not None and stamp == kept else None

    @property
    def last_remembered(self) -> Any:
        """What `remember` kept last in this run, whoever has written since then; None if nothing."""
        return self._remembered.get(self._crm.name, (None, None))[1]

    def publish(self) -> Published:
        """Publishes the current state of all tables to readers.

        Raises:
            OSError: For example, the disk is full. Readers see the previous state.
            WarehouseBusy: Other writers did not finish within `lock_wait` seconds.
        """
        return self._backend.publish()

    def erase(self, record: Change = lambda _: None) -> None:
        """Erases deleted values for good, from free blocks and old snapshots, and publishes the current state.

        Args:
            record: Called to record this in the database: with the change that it makes, all deleted values are erased.

        Raises:
            OSError: For example, the disk is full.
            WarehouseBusy: Other writers did not finish within `lock_wait` seconds.
        """
        self._backend.erase(record)

    @property
    def _backend(self) -> Backend:
        if self._crm.name in self._opened:
            return self._opened[self._crm.name]
        backend = self._chosen()
        if self._until_end_of_run is not None:
            if not isinstance(backend, MotherDuck):
                self._until_end_of_run.callback(backend.close)
            self._opened[self._crm.name] = backend
        return backend

    def _chosen(self) -> Backend:
        """The DuckDB file at `database`, or the configured warehouse.

        Raises:
            SettingsError: A setting is missing or not allowed.
        """
        config, announce = self.connection_config, get_dagster_logger().info
        if self.database:
            return DuckDBFile(Path(self.database), self.lock_wait, config, announce)
        settings = resolve_settings(self._crm, NOT_FOR_TABLES)
        if settings.memory_limit:
            config = {"memory_limit": settings.memory_limit, **config}
        configured = settings.warehouse.get_secret_value() if settings.warehouse else ""
        name = "sandbox" if settings.is_sandbox else self._crm.name
        if configured.startswith(PREFIX):
            files = settings.warehouse_files.get_secret_value() if settings.warehouse_files else ""
            lake = LakeAddress.of(configured, files, name)
            keeps = self._until_end_of_run is not None and lake.dsn is not None
            return Lake(lake, settings.data_dir, self.lock_wait, config, announce, keeps)
        if configured.startswith(MOTHERDUCK):
            return MotherDuck.of(configured, settings.data_dir, config, name)
        path = Path(configured).expanduser().absolute() if configured else settings.data_dir / "crm.duckdb"
        return DuckDBFile(path.with_name(f"{name}.duckdb") if name else path, self.lock_wait, config, announce)
