"""What all assets have: keys, an owner, retries, links to code, results of checks and a log line about them."""

import logging
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import dagster as dg

from crm_assets.dagster_internals import FailuresOnly
from crm_assets.errors import counted
from crm_assets.settings import DEFAULT_CRM, Crm, setting_at_load
from crm_assets.settings.documents import PACKAGE_PARENT, checkout


def asset_key(crm: Crm, address: str) -> dg.AssetKey:
    """The asset key of a CRM's table or view: `marts/task_backlog` for `marts.task_backlog`."""
    return dg.AssetKey(crm.path(address))


OWNERS = ("team:sales-operations",)


@cache
def retry_policy(crm: Crm = DEFAULT_CRM) -> dg.RetryPolicy:
    """Three retries of a CRM's asset, after 30, 60 and 120 s (`asset_retry_delay`), with jitter."""
    # A wrong value is reported by the run.
    delay = setting_at_load("asset_retry_delay", crm=crm)
    return FailuresOnly(max_retries=3, delay=delay, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


def code_references(files: Mapping[Path, str], page: str) -> dg.CodeReferencesMetadataValue:
    """The metadata value for `dagster/code_references`.

    Args:
        files: File -> label.
        page: The page of the documentation, relative to the project. An installed package has none.
    """
    project = checkout()
    linked = {**files, **({project / page: "documentation"} if project else {})}
    with warnings.catch_warnings():
        # Two warnings per asset would bury a command's output.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.CodeReferencesMetadataValue(
            code_references=[_reference(path, label) for path, label in linked.items()]
        )


def _reference(path: Path, label: str) -> dg.LocalFileCodeReference | dg.UrlCodeReference:
    repository = _repository()
    if repository and path.is_relative_to(PACKAGE_PARENT):
        return dg.UrlCodeReference(url=f"{repository}/{path.relative_to(PACKAGE_PARENT).as_posix()}", label=label)
    return dg.LocalFileCodeReference(file_path=str(path), label=label)


@cache
def _repository() -> str:
    """The setting `repository_url`, read once and not for each asset."""
    return (setting_at_load("repository_url") or "").rstrip("/")


def reported(
    evaluations: Iterable[dg.AssetCheckEvaluation], selected: Collection[dg.AssetCheckKey]
) -> Iterator[dg.AssetCheckEvaluation | dg.AssetCheckResult]:
    """Evaluations as an op yields them: for checks that were selected, Dagster expects results."""
    for found in evaluations:
        yield result_of(found) if found.asset_check_key in selected else found


def result_of(found: dg.AssetCheckEvaluation) -> dg.AssetCheckResult:
    """The result of a check that was selected. Dagster adds what its spec says, and the materialization it is about."""
    return dg.AssetCheckResult(
        asset_key=found.asset_key,
        check_name=found.check_name,
        passed=found.passed,
        metadata=found.metadata,
        severity=found.severity,
        description=found.description,
    )


def log_with_checks(
    log: logging.Logger,
    made: str,
    results: Sequence[dg.AssetCheckEvaluation],
    level: int = logging.INFO,
) -> None:
    """Logs what was made and how many checks passed, at `level`, or as a warning that names failed checks.

    Findings of checks are not logged, since they can show values. The UI shows them.
    """
    failed = [result.check_name for result in results if not result.passed]
    if failed:
        log.warning("%s; %d of %d checks failed: %s", made, len(failed), len(results), ", ".join(failed))
    else:
        log.log(level, "%s; %s passed", made, counted(len(results), "check"))
