"""dlt pipelines into the warehouse: the database is held only while state is read and while a load is committed.

Reading the API takes long and needs no database, so nobody waits for it.
"""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import dlt
import duckdb
from dlt.common.pipeline import LoadInfo
from dlt.common.schema import Schema
from dlt.pipeline.pipeline import Pipeline
from filelock import FileLock, Timeout

from crm_assets.warehouse.destination import LOAD_MEMORY, WarehouseDestination, memory_as_usual
from crm_assets.warehouse.warehouse import Warehouse

RAW = "raw"
"""DuckDB schema (dlt dataset) of the raw tables."""

LOADING = f"set memory_limit = '{LOAD_MEMORY}'; set threads = 1; set preserve_insertion_order = false"
"""One thread: each has buffers for every column, within the limit and beyond it, and merges are no faster with more."""


class WarehousePipeline(Pipeline):
    """A dlt pipeline that takes its turn at the warehouse.

    While it has it, a connection is held open, so that a reader from outside cannot come between two of dlt's own.
    """

    warehouse: Warehouse
    on_loaded: Callable[[duckdb.DuckDBPyConnection, str], object]

    def load(self, *args: Any, **kwargs: Any) -> LoadInfo:
        """Commits the load package, and in the same turn whatever belongs to it."""
        with self.warehouse.get_connection() as connection:
            connection.execute(LOADING)
            try:
                info = super().load(*args, **kwargs)
            finally:  # they are the database's, and stay as long as any thread has it open
                connection.execute(f"{memory_as_usual()}; reset threads; reset preserve_insertion_order")
            info.raise_on_failed_jobs()
            self.on_loaded(connection, info.loads_ids[-1])
            return info


@contextmanager
def warehouse_pipeline(
    resource: str, warehouse: Warehouse, on_loaded: Callable[[duckdb.DuckDBPyConnection, str], object]
) -> Iterator[WarehousePipeline]:
    """The pipeline of one resource, in a working folder of its own that is removed at the end.

    Args:
        resource: Names the pipeline, whose name stays the same from run to run.
        warehouse: Where to load.
        on_loaded: Called with a connection and the load id once the tables are committed, before the turn ends.
    """
    with _working_folder(warehouse.path.parent / "pipelines") as folder:
        pipeline = dlt.pipeline(
            pipeline_name=f"crm_{resource}",
            pipelines_dir=str(folder),
            destination=WarehouseDestination(warehouse.path),
            dataset_name=RAW,
            _impl_cls=WarehousePipeline,
        )
        pipeline.warehouse = warehouse
        pipeline.on_loaded = on_loaded
        # The cursor comes from the table, and the schema from `loaded_schema`: nothing else has to be kept.
        pipeline.config.restore_from_destination = False
        try:
            with _dlt_silent():
                yield pipeline
        finally:
            pipeline.deactivate()


def loaded_schema(connection: duckdb.DuckDBPyConnection, resource: str) -> Schema | None:
    """The dlt schema of a resource's last load, with the columns that no YAML declares; None before the first.

    dlt would restore a pipeline's whole state with it, and load that state anew: a third of a small load's time.
    """
    try:
        stored = connection.execute(
            f"select schema from {RAW}._dlt_version where schema_name = ? order by inserted_at desc limit 1", [resource]
        ).fetchone()
    except duckdb.CatalogException:
        return None
    return Schema.from_dict(json.loads(stored[0])) if stored else None


@contextmanager
def _dlt_silent() -> Iterator[None]:
    """Keeps dlt's own messages out of the log: they show values, of which DuckDB's errors are full.

    What goes wrong is raised all the same, and told without them.
    """
    logger = logging.getLogger("dlt")

    # One for each pipeline, as several run at a time.
    def nothing(_: logging.LogRecord) -> bool:
        return False

    logger.addFilter(nothing)
    try:
        yield
    finally:
        logger.removeFilter(nothing)


@contextmanager
def _working_folder(parent: Path) -> Iterator[Path]:
    """A new folder below `parent`; those that killed processes left there are removed on the way.

    A folder in use is told from a stale one by a lock that ends with its process.
    """
    # With records in its files it is its owner's alone, and so is the data directory around it.
    parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    parent.mkdir(mode=0o700, exist_ok=True)
    for lock_file in parent.glob("*.lock"):
        stale = FileLock(lock_file)
        try:
            stale.acquire(timeout=0)
        except Timeout:
            continue
        shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
        lock_file.unlink(missing_ok=True)
        stale.release()
    # The lock comes first: without it, the folder of a run that just begins would look like a stale one.
    folder = parent / uuid4().hex
    lock = FileLock(f"{folder}.lock", mode=0o600)
    lock.acquire()
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
