"""Turns errors into failures that users can act on, and decides whether Dagster retries the asset."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from dagster import Failure, MetadataValue
from dlt.pipeline.exceptions import PipelineStepFailed

from crm_assets.assets.disk_errors import disk_error, may_recover
from crm_assets.errors import CrmAssetsError
from crm_assets.settings import ONLY, Crm


@contextmanager
def failures_explained(resource: str, crm: Crm = ONLY) -> Iterator[None]:
    """Turns errors of the body into failures that say what was wrong and what to do, and hold no record.

    dlt wraps errors of its steps, and its own messages can hold a whole page of personal data. So only the type of
    such an error and where it was raised are shown.

    Raises:
        Failure: In place of the error. Retries are allowed only if they can help.
    """
    try:
        yield
    except Failure:
        raise
    except Exception as error:  # noqa: BLE001 # any error's message may hold records
        told = next((cause for cause in _causes(error) if isinstance(cause, CrmAssetsError)), None)
        if told is not None:
            raise Failure(description=crm.told(str(told)), allow_retries=told.may_recover) from None
        for cause in _causes(error):
            if about_files := disk_error(cause):
                raise Failure(description=f"{resource}: {about_files}", allow_retries=may_recover(cause)) from None
        raise _unexpected(resource, error) from None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _unexpected(resource: str, error: Exception) -> Failure:
    step = error.step if isinstance(error, PipelineStepFailed) else "load"
    *_, root = _causes(error)
    frames = traceback.extract_tb(root.__traceback__)
    places = "".join(traceback.format_list(frames))
    last = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return Failure(
        description=(
            f"{resource}: the {step} failed with {type(root).__module__}.{type(root).__qualname__}{last}. Its "
            "message is not shown, since it may hold records. The tables have not changed"
        ),
        metadata={"where": MetadataValue.md(f"```\n{places}\n```")},
    )
