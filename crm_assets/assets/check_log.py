"""The log line of an asset: what was made, and whether its checks passed."""

import logging
from collections.abc import Sequence

from dagster import AssetCheckResult


def log_with_checks(
    log: logging.Logger, made: str, results: Sequence[AssetCheckResult], level: int = logging.INFO
) -> None:
    """Logs what was made and how many checks passed, at `level`, or as a warning that names failed checks.

    Findings of checks are not logged, since they can show values. The UI shows them.
    """
    failed = [str(result.check_name) for result in results if not result.passed]
    if failed:
        log.warning("%s; %d of %d checks failed: %s", made, len(failed), len(results), ", ".join(failed))
    else:
        log.log(level, "%s; %d checks passed", made, len(results))
