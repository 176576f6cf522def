"""The one place where errors become failures of assets and checks: what users see, and whether Dagster retries."""

import errno
import os
import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dlt.pipeline.exceptions import PipelineStepFailed

from crm_assets.errors import CrmAssetsError, SettingsError
from crm_assets.masking import mask_log_records, masked
from crm_assets.settings import DEFAULT_CRM, Crm, section_in_use
from crm_assets.warehouse.duckdb_messages import is_about_statement, is_lost, is_out_of_memory, line, reason
from crm_assets.warehouse.lake.address import is_about_lake, may_answer_later
from crm_assets.warehouse.transactions import commits_noted, commits_so_far
from crm_assets.yaml_files import read_yaml

TEXTS: Mapping[str, str] = read_yaml(Path(__file__).with_name("failures.yaml"), SettingsError)

ADVICE: Mapping[int, str] = {getattr(errno, name): text for name, text in TEXTS.items() if name in vars(errno)}
"""Error number of the operating system -> what to do."""

REASONS: Mapping[str, str] = {os.strerror(number): advice for number, advice in ADVICE.items()}
"""Message of the operating system, as DuckDB quotes it -> what to do."""

DAMAGED = "Corrupt database file"
"""From DuckDB 2.0 on, such an error has no class of its own."""

QUOTED = re.compile(rf"(?:Could not|Cannot|Failed to) [^:\n]*(?:: )+({'|'.join(map(re.escape, REASONS))})")


def disk_error(error: BaseException) -> str:
    """The message of an error about files, with advice; empty for any other error."""
    if isinstance(error, (ConnectionError, TimeoutError)):
        return ""
    if isinstance(error, OSError) and error.errno:
        return f"{error}. {ADVICE.get(error.errno, TEXTS['OTHER']).format(setting='CRM_DATA_DIR')}"
    if not isinstance(error, duckdb.Error):
        return ""
    if quoted := QUOTED.search(str(error)):
        setting = "CRM_WAREHOUSE_FILES" if is_about_lake(error) else "CRM_DATA_DIR"
        return f"{quoted[0]}. {REASONS[quoted[1]].format(setting=setting)}"
    if isinstance(error, duckdb.IOException) or DAMAGED in str(error):
        advice = TEXTS["LAKE" if is_about_lake(error) else "UNREADABLE"]
        return f"{str(error).splitlines()[0].rstrip('.!')}. {advice}"
    return ""


PACKAGE = Path(__file__).parent.parent

INTERRUPTIONS = (KeyboardInterrupt, dg.DagsterExecutionInterruptedError)


@dataclass(frozen=True)
class Explained:
    """An error as users see it.

    Attributes:
        message: What was wrong and what to do, without records.
        may_recover: Whether the same attempt may succeed later.
        frames: Where it was raised, if the message alone does not explain it.
    """

    message: str
    may_recover: bool
    frames: traceback.StackSummary | None = None


@contextmanager
def failures_explained(name: str, crm: Crm = DEFAULT_CRM) -> Iterator[dict[str, Any]]:
    """Turns errors of the body into failures that say what was wrong and what to do, and hold no record.

    Args:
        name: The resource, table or asset, for messages.
        crm: The CRM that it belongs to. Messages name its settings.

    Yields:
        Metadata of the failure, to which the body may add.

    Raises:
        Failure: In place of any error. Retries are allowed only if they can help.
        KeyboardInterrupt: The body was interrupted, as when a run is terminated; or Dagster's error for that.
    """
    metadata: dict[str, Any] = {}
    mask_log_records()
    with section_in_use(crm.section), commits_noted():
        try:
            yield metadata
        except dg.Failure:
            raise
        except Exception as error:  # noqa: BLE001 # any error's message may hold records
            explained = explain(error, name)
            if explained.frames:
                listed = "".join(traceback.format_list(explained.frames))
                metadata["where"] = dg.MetadataValue.md(masked(f"```\n{listed}\n```"))
            raise dg.Failure(
                description=masked(explained.message), metadata=metadata, allow_retries=explained.may_recover
            ) from None


def explain(error: BaseException, name: str) -> Explained:
    """What users see of an error, and whether tables had changed before.

    Errors of the project and of the operating system are shown in full; so are those of DuckDB about a statement, which
    name tables and columns only. Any other message may hold records: dlt's hold whole pages. So only the type of the
    error is shown, and where it was raised.

    Args:
        error: The error.
        name: The resource, table or asset that it belongs to.

    Raises:
        KeyboardInterrupt: The error comes from an interruption; or Dagster's error for that.
    """
    for cause in _causes(error):
        if isinstance(cause, INTERRUPTIONS):  # DuckDB raises an error of its own for an interrupted statement
            raise cause from None
    commits = commits_so_far()
    changed = f". {commits.outcome}" if commits.confirmed or commits.unconfirmed else ""
    for cause in _causes(error):
        if isinstance(cause, CrmAssetsError):
            return Explained(f"{cause}{changed}", cause.may_recover)
    for cause in _causes(error):
        if isinstance(cause, duckdb.Error) and (is_out_of_memory(cause) or is_lost(cause)):
            return Explained(f"{name}: {reason(cause)}{changed}", may_recover=is_lost(cause))
        if about_files := disk_error(cause):
            may_recover = may_answer_later(cause) and not QUOTED.search(str(cause))
            return Explained(f"{name}: {about_files}{changed}", may_recover)
        if isinstance(cause, duckdb.Error) and is_about_statement(cause):
            frames = traceback.extract_tb(cause.__traceback__)
            at = f"line {line(cause)} of " if line(cause) else ""
            message = f"{name}: {reason(cause)} ({at}the statement in {_place(frames)}). {commits.outcome}"
            return Explained(message, may_recover=False, frames=frames)
    step = error.step if isinstance(error, PipelineStepFailed) else "step"
    *_, root = _causes(error)
    frames = traceback.extract_tb(root.__traceback__)
    message = (
        f"{name}: the {step} failed with {type(root).__module__}.{type(root).__qualname__} at {_place(frames)}. Its "
        f"message is not shown, since it may hold records. {commits.outcome}"
    )
    return Explained(message, may_recover=True, frames=frames)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def _place(frames: traceback.StackSummary) -> str:
    """The project's file and line where an error was raised, or came from."""
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)] or list(frames)
    return f"{ours[-1].filename}:{ours[-1].lineno}" if ours else "an unknown place"
