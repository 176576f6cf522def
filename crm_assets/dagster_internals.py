"""What is used of Dagster and dagster-dlt beyond what they document.

`test_contracts.py` fails when an upgrade changes any of it.

- `FailuresOnly`: Dagster asks an op's retry policy for a delay inside the `except` block of what ended the attempt, an
  interrupt included.
- `dlt_specs`: `build_dlt_asset_specs` takes None for the pipeline, as long as the translator does not ask for one.
"""

import sys
from collections.abc import Iterator

from dagster import AssetSpec, RetryPolicy
from dagster_dlt import DagsterDltTranslator, build_dlt_asset_specs
from dlt.extract import DltSource


class FailuresOnly(RetryPolicy):
    """A retry policy that does not keep a run from being cancelled.

    Dagster asks an op's policy for a delay after an interrupt, too. Its in-process executor would then go on with a run
    that somebody wants to end.
    """

    def calculate_delay(self, attempt_num: int) -> float:
        """Seconds before the next attempt.

        Raises:
            BaseException: The interrupt, if that is what ended the attempt.
        """
        ended_by = sys.exc_info()[1]
        if ended_by is not None and not isinstance(ended_by, Exception):
            raise ended_by
        return float(super().calculate_delay(attempt_num))


def dlt_specs(source: DltSource, translator: DagsterDltTranslator) -> Iterator[AssetSpec]:
    """The spec of each of a source's resources, without what dagster-dlt keeps in them for `@dlt_assets`: the source.

    There is no pipeline yet when definitions load: making one would write to the disk.
    """
    for spec in build_dlt_asset_specs(source, None, translator):  # type: ignore[arg-type]
        metadata = {key: value for key, value in spec.metadata.items() if key.startswith("dagster/")}
        yield spec.replace_attributes(metadata=metadata)
