"""Reads one resource through the real source, as far as Parquet files: no warehouse, which would only cost time."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from pyarrow import parquet

from crm_assets.errors import ApiError
from crm_assets.loading.landing import landing_pipeline
from crm_assets.settings import resolve_settings
from crm_assets.source.crm_source import ReadState, crm_read
from crm_assets.source.http.limits import Limits
from crm_assets.source.reading.report import Progress, ReadReport


@dataclass
class Reading:
    """What a read gave: the records that would be loaded, and the report."""

    report: ReadReport
    records: list[dict[str, Any]] = field(default_factory=list)
    announced: list[str] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)

    @property
    def ids(self) -> list[Any]:
        """Ids of the records, sorted; an id that came twice is there twice."""
        return sorted(record["id"] for record in self.records)


def read(resource: str = "open_tasks") -> Reading:
    """Reads a resource completely, with the settings of the environment.

    Raises:
        ApiError: As the source raised it, out of dlt's wrapping.
    """
    announced: list[str] = []
    progress: list[Progress] = []
    try:
        with (
            TemporaryDirectory() as folder,
            crm_read(resource, resolve_settings(), ReadState(), announced.append, progress.append) as reading,
            landing_pipeline(resource, Path(folder)) as (pipeline, landed),
        ):
            pipeline.run(reading.source, loader_file_format="parquet")
            records = [record for file in sorted(landed.iterdir()) for record in parquet.read_table(file).to_pylist()]
    except PipelineStepFailed as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ApiError):
            cause = cause.__cause__ or cause.__context__
        raise (cause or error) from None
    return Reading(reading.report(), records, announced, progress)


def pauses_of(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """The pauses of all requests, as the monotonic seconds between which none leaves. Grows while a test reads."""
    pauses: list[tuple[float, float]] = []
    pause = Limits.pause

    def noted(limits: Limits, seconds: float) -> bool:
        before = time.monotonic()
        news = pause(limits, seconds)
        if seconds:
            pauses.append((time.monotonic(), before + seconds))
        return news

    monkeypatch.setattr(Limits, "pause", noted)
    return pauses
