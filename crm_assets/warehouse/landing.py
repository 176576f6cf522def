"""dlt's last station before the warehouse: Parquet files in a working folder of the run's own."""

import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import dlt
from dlt.common.destination import Destination
from dlt.common.schema.typing import TTableSchema
from dlt.pipeline.pipeline import Pipeline
from filelock import FileLock, Timeout

from crm_assets.source.dlt_context import ProjectContext, dlt_context
from crm_assets.warehouse.raw_tables import RAW

WORKING_FOLDERS = "pipelines"
"""Where the working folders of runs lie, in the data directory."""


@dataclass(frozen=True)
class Landing:
    """A pipeline whose destination is a folder."""

    pipeline: Pipeline
    folder: Path

    @property
    def files(self) -> list[Path]:
        """The Parquet files that the pipeline has written."""
        return sorted(self.folder.iterdir())


@contextmanager
def landing_pipeline(resource: str, data_dir: Path) -> Iterator[Landing]:
    """The pipeline of one resource, in a working folder of its own that is removed at the end.

    Args:
        resource: Names the pipeline, whose name stays the same from run to run.
        data_dir: Where working folders are made.
    """
    with dlt_context(ProjectContext()), _place(data_dir) as parent, _working_folder(parent) as folder:
        landed = folder / "landed"
        landed.mkdir(mode=0o700)
        pipeline = dlt.pipeline(
            pipeline_name=f"crm_{resource}",
            pipelines_dir=str(folder),
            destination=parquet_files(resource, landed),
            dataset_name=RAW,
        )
        # Cursors come from the tables: dlt needs to keep no state for the next run.
        pipeline.config.restore_from_destination = False
        try:
            with _dlt_silent():
                yield Landing(pipeline, landed)
        finally:
            pipeline.deactivate()


def remove_leftovers(data_dir: Path) -> None:
    """Removes what killed runs have read and not loaded. Runs under way keep what is theirs."""
    _remove_stale(data_dir / WORKING_FOLDERS)


def parquet_files(resource: str, folder: Path) -> Destination:  # type: ignore[type-arg]
    """A dlt destination that leaves a resource's Parquet files in a folder."""

    @dlt.destination(name="parquet_files", batch_size=0, loader_file_format="parquet", naming_convention="snake_case")
    def land(items: Any, table: TTableSchema) -> None:
        file = Path(items)  # with batch_size 0 the path of the whole file
        if table["name"] == resource:
            _keep(file, folder / file.name)

    return land()


def _keep(file: Path, place: Path) -> None:
    """Keeps a file that dlt is going to move; without copying it where the file system can."""
    place.unlink(missing_ok=True)  # dlt may try a job again
    try:
        os.link(file, place)
    except OSError:
        shutil.copyfile(file, place)


@contextmanager
def _dlt_silent() -> Iterator[None]:
    """Keeps dlt's own messages out of the log: they can show values.

    What goes wrong is raised all the same, and reported without them.
    """
    logger = logging.getLogger("dlt")

    def nothing(_: logging.LogRecord) -> bool:
        return False

    logger.addFilter(nothing)
    try:
        with warnings.catch_warnings():
            # dagster-dlt calls what dlt has renamed; who runs this cannot act on it.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.removeFilter(nothing)


@contextmanager
def _place(data_dir: Path) -> Iterator[Path]:
    """Where working folders are made: in the data directory, but where dlt would take its path for a format string."""
    if "%" not in str(data_dir.resolve()):
        yield data_dir / WORKING_FOLDERS
        return
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="crm_assets_") as elsewhere:
        yield Path(elsewhere)


@contextmanager
def _working_folder(parent: Path) -> Iterator[Path]:
    """A new folder below `parent`; those that killed processes left there are removed on the way.

    A folder in use is told from a stale one by a lock that ends with its process.
    """
    # With records in its files it is its owner's alone, and so is the data directory around it.
    parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    parent.mkdir(mode=0o700, exist_ok=True)
    _remove_stale(parent)
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


def _remove_stale(parent: Path) -> None:
    for lock_file in parent.glob("*.lock"):
        stale = FileLock(lock_file)
        try:
            stale.acquire(timeout=0)
        except Timeout:
            continue
        shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
        lock_file.unlink(missing_ok=True)
        stale.release()
