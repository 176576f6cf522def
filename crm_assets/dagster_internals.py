"""What is used of Dagster and dagster-dlt beyond what they document.

`test_contracts.py` fails when an upgrade changes any of it.

- `FailuresOnly`: Dagster asks an op's retry policy for a delay inside the `except` block of what ended the attempt, an
  interrupt included.
- `other_steps_follow`: `DagsterInstance.all_logs`, and that a run's log has what is planned before the first step
  begins and the end of a step before the step's resources are torn down.
- `dlt_specs`: `build_dlt_asset_specs` takes None for the pipeline, as long as the translator does not ask for one.
"""

import sys
from collections.abc import Iterator

from dagster import AssetSpec, DagsterEventType, InitResourceContext, RetryPolicy
from dagster_dlt import DagsterDltTranslator, build_dlt_asset_specs
from dlt.extract import DltSource

PLANNED = (DagsterEventType.ASSET_MATERIALIZATION_PLANNED, DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED)
ENDED = (DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE, DagsterEventType.STEP_SKIPPED)


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


def other_steps_follow(context: InitResourceContext) -> bool:
    """Whether the run's other steps have not all ended. With a process for each step, resources end with each of them.

    Of several steps that end at the same time, the last one to be logged finds all others there. Once a step failed,
    others will be skipped by nobody knows when: what follows does not count then.
    """
    if context.instance is None or context.run is None:
        return False
    steps: dict[DagsterEventType, set[str | None]] = {event_type: set() for event_type in (*PLANNED, *ENDED)}
    for entry in context.instance.all_logs(context.run.run_id, of_type=set(steps)):
        steps[entry.get_dagster_event().event_type].add(entry.step_key)
    planned, ended = (set().union(*(steps[event_type] for event_type in types)) for types in (PLANNED, ENDED))
    return not steps[DagsterEventType.STEP_FAILURE] and bool(planned - ended)


def dlt_specs(source: DltSource, translator: DagsterDltTranslator) -> Iterator[AssetSpec]:
    """The spec of each of a source's resources, without what dagster-dlt keeps in them for `@dlt_assets`: the source.

    There is no pipeline yet when definitions load: making one would write to the disk.
    """
    for spec in build_dlt_asset_specs(source, None, translator):  # type: ignore[arg-type]
        metadata = {key: value for key, value in spec.metadata.items() if key.startswith("dagster/")}
        yield spec.replace_attributes(metadata=metadata)
