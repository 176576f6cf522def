"""The undocumented parts of Dagster and dagster-dlt that the project uses.

`test_contracts.py` fails when an upgrade changes one of them.

- `FailuresOnly`: Dagster asks an op's retry policy for a delay inside the `except` block of the error that ended the
  attempt, or of the interrupt.
- `dlt_specs`: `build_dlt_asset_specs` accepts None as the pipeline if the translator does not use one.
"""

import sys
from collections.abc import Iterator

from dagster import AssetSpec, RetryPolicy
from dagster_dlt import DagsterDltTranslator, build_dlt_asset_specs
from dlt.extract import DltSource


class FailuresOnly(RetryPolicy):
    """A retry policy that retries failures, but not interrupts.

    Dagster asks an op's policy for a delay after an interrupt, too. Its in-process executor would then continue a run
    that was cancelled.
    """

    def calculate_delay(self, attempt_num: int) -> float:
        """Seconds before the next attempt.

        Raises:
            BaseException: The interrupt, if one ended the attempt.
        """
        ended_by = sys.exc_info()[1]
        if ended_by is not None and not isinstance(ended_by, Exception):
            raise ended_by
        return float(super().calculate_delay(attempt_num))


def dlt_specs(source: DltSource, translator: DagsterDltTranslator) -> Iterator[AssetSpec]:
    """The asset spec of each resource of a source, without the metadata that only `@dlt_assets` needs.

    It needs no pipeline: creating one while definitions load would write to the disk.
    """
    for spec in build_dlt_asset_specs(source, None, translator):  # type: ignore[arg-type]
        metadata = {key: value for key, value in spec.metadata.items() if key.startswith("dagster/")}
        yield spec.replace_attributes(metadata=metadata)
