"""The undocumented parts of Dagster and dagster-dlt that the project uses.

`test_contracts.py` fails when an upgrade changes one of them.

- `FailuresOnly`: Dagster asks an op's retry policy for a delay inside the `except` block of the error that ended the
  attempt, or of the interrupt.
- `dlt_specs`: `build_dlt_asset_specs` accepts None as the pipeline if the translator does not use one.
- `InputsChanged`: a materialization's tags tell its data version, the code version and those of what it was built from;
  an automation context has the instance.
"""

import sys
from collections.abc import Iterator, Mapping

from dagster import (
    AssetKey,
    AssetSpec,
    AutomationCondition,
    AutomationContext,
    AutomationResult,
    DagsterInstance,
    RetryPolicy,
)
from dagster._core.definitions.data_version import CODE_VERSION_TAG, DATA_VERSION_TAG, get_input_data_version_tag
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


class InputsChanged(AutomationCondition[AssetKey]):
    """True for an asset that was never built, or whose code or inputs have another version than when it was built.

    Unlike `data_version_changed`, which tells a change since the last look, it does not forget what was not acted upon.
    """

    def evaluate(self, context: AutomationContext[AssetKey]) -> AutomationResult[AssetKey]:
        """All of the asset, or nothing of it."""
        instance = context.asset_graph_view.get_inner_queryer_for_back_compat().instance
        asset = context.asset_graph.get(context.key)
        built = _version_tags(instance, context.key)
        inputs = {get_input_data_version_tag(key): _version_tags(instance, key) for key in asset.parent_keys}
        same_code = asset.code_version in {None, built.get(CODE_VERSION_TAG)}
        same_inputs = all(built.get(tag) == parent.get(DATA_VERSION_TAG) for tag, parent in inputs.items())
        as_built = DATA_VERSION_TAG in built and same_code and same_inputs
        return AutomationResult(context, context.get_empty_subset() if as_built else context.candidate_subset)


def _version_tags(instance: DagsterInstance, key: AssetKey) -> Mapping[str, str]:
    event = instance.get_latest_materialization_event(key)
    materialization = event.asset_materialization if event else None
    return materialization.tags or {} if materialization else {}


def dlt_specs(source: DltSource, translator: DagsterDltTranslator) -> Iterator[AssetSpec]:
    """The asset spec of each resource of a source, without the metadata that only `@dlt_assets` needs.

    It needs no pipeline: creating one while definitions load would write to the disk.
    """
    for spec in build_dlt_asset_specs(source, None, translator):  # type: ignore[arg-type]
        metadata = {key: value for key, value in spec.metadata.items() if key.startswith("dagster/")}
        yield spec.replace_attributes(metadata=metadata)
