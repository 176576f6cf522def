"""The log line of an asset: what was made, and what its checks found."""

import logging
from collections.abc import Sequence

from dagster import AssetCheckResult


def log_with_checks(
    log: logging.Logger, made: str, results: Sequence[AssetCheckResult], level: int = logging.INFO
) -> None:
    """Logs what was made, and how many checks passed, at `level`. Failed checks make it a warning that names them.

    What a check found is not logged: it can show values. The UI has it.
    """
    failed = [str(result.check_name) for result in results if not result.passed]
    if failed:
        log.warning("%s; %d of %d checks failed: %s", made, len(failed), len(results), ", ".join(failed))
    else:
        log.log(level, "%s; %d checks passed", made, len(results))
