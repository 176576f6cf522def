"""The dlt pipeline, which ends at Parquet files in the run's own working folder."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dlt
from dlt.common.destination import Destination
from dlt.common.schema.typing import TTableSchema
from dlt.pipeline.pipeline import Pipeline

from crm_assets.source.crm_source import dlt_context
from crm_assets.warehouse.private_files import link_or_copy, private_files, working_folder
from crm_assets.warehouse.tables import RAW


@contextmanager
def landing_pipeline(resource: str, data_dir: Path) -> Iterator[tuple[Pipeline, Path]]:
    """The pipeline of one resource and the folder of its Parquet files, in a working folder that is removed at the end.

    Files are private while the pipeline is created. Whoever runs it has to keep them so, and not longer: a load writes
    files of a lake, which are for those who can access its folder.

    Args:
        resource: The resource; the pipeline's name depends only on it.
        data_dir: The folder in which working folders are created.
    """
    with dlt_context(), ExitStack() as stack:
        with private_files():
            if "%" in str(data_dir.resolve()):  # dlt would take the path for a format string
                data_dir = Path(stack.enter_context(TemporaryDirectory(prefix="crm_assets_")))
            folder = stack.enter_context(working_folder(data_dir))
            landed = folder / "landed"
            landed.mkdir()
            pipeline = dlt.pipeline(
                pipeline_name=f"crm_{resource}",
                pipelines_dir=str(folder),
                destination=parquet_files(resource, landed),
                dataset_name=RAW,
            )
        # Cursors come from the tables, so dlt needs no state from earlier runs.
        pipeline.config.restore_from_destination = False
        try:
            with _dlt_silent():
                yield pipeline, landed
        finally:
            pipeline.deactivate()


def parquet_files(resource: str, folder: Path) -> Destination:  # type: ignore[type-arg]
    """A dlt destination that puts a resource's Parquet files into a folder."""

    @dlt.destination(name="parquet_files", batch_size=0, loader_file_format="parquet", naming_convention="snake_case")
    def land(items: Any, table: TTableSchema) -> None:
        file = Path(items)  # with batch_size 0 the path of the whole file
        if table["name"] == resource:
            target = folder / file.name
            target.unlink(missing_ok=True)  # dlt may retry a job
            link_or_copy(file, target)  # dlt is going to move the file

    return land()


@contextmanager
def _dlt_silent() -> Iterator[None]:
    """Keeps dlt's own messages out of the log, since they can show values.

    Errors are still raised, and reported without these messages.
    """
    logger, only_others = logging.getLogger("dlt"), logging.Filter("crm_assets")
    logger.addFilter(only_others)
    try:
        with warnings.catch_warnings():
            # dagster-dlt calls functions that dlt has renamed; users cannot act on the warning.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.removeFilter(only_others)
