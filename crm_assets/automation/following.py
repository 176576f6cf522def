"""Automation conditions of models and the report: Dagster's daemon builds each once when its inputs have changed."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from operator import or_
from typing import Any

from dagster import (
    AssetKey,
    AssetsDefinition,
    AssetSelection,
    AutomationCondition,
    AutomationConditionSensorDefinition,
    BetaWarning,
    DefaultSensorStatus,
)

from crm_assets.automation.jobs import assets_of
from crm_assets.dagster_internals import InputsChanged
from crm_assets.settings import Crm
from crm_assets.warehouse.schemas import RAW

Condition = AutomationCondition[Any]


def following(assets: Sequence[AssetsDefinition], raw: Sequence[AssetsDefinition]) -> Iterator[AssetsDefinition]:
    """Models and the report, each with the condition for building it after raw assets."""
    everything = [*raw, *assets]
    loaded = [asset.key for asset in raw]
    for asset in assets:
        keys = AssetSelection.assets(asset.key).upstream().resolve(everything)
        news = has_something_new() if keys - {asset.key} else is_needed(loaded)
        condition = news & ~AutomationCondition.any_deps_missing() & ~any_of(keys, AutomationCondition.in_progress())
        yield _built_on(condition, asset)


def _built_on(condition: Condition, asset: AssetsDefinition) -> AssetsDefinition:
    return asset.map_asset_specs(lambda spec: spec.replace_attributes(automation_condition=condition))


def has_something_new() -> Condition:
    """True if an input or the asset's code has changed since it was built, or an input is about to be rebuilt.

    A failed asset is built again after the next update of an input.
    """
    asked = AutomationCondition.newly_requested()
    updated = AutomationCondition.any_deps_match(AutomationCondition.newly_updated()).since(asked)
    edited = AutomationCondition.code_version_changed().since(asked)
    with_inputs = AutomationCondition.any_deps_match(AutomationCondition.will_be_requested())
    return (updated | edited) & InputsChanged() | with_inputs


def is_needed(loaded: Iterable[AssetKey]) -> Condition:
    """For seeds, which have no inputs: true if the file has changed, or a table was loaded and the seed never built."""
    asked = AutomationCondition.newly_requested()
    updated = any_of(loaded, AutomationCondition.newly_updated()) & AutomationCondition.missing()
    edited = AutomationCondition.code_version_changed()
    return (updated | edited).since(asked) & InputsChanged()


def any_of(keys: Iterable[AssetKey], condition: Condition) -> Condition:
    """True if the condition is true for any of these assets, whether or not the asset depends on them."""
    return reduce(or_, (AutomationCondition.asset_matches(key, condition) for key in sorted(keys)))


def build_following_sensor(crm: Crm) -> AutomationConditionSensorDefinition:
    """The sensor that evaluates the conditions of a CRM's assets."""
    with warnings.catch_warnings():
        # Users cannot act on the warning: custom conditions are evaluated by the code location.
        warnings.simplefilter("ignore", BetaWarning)
        return AutomationConditionSensorDefinition(
            crm.named("build_what_changed"),
            target=assets_of(crm) - AssetSelection.groups(crm.named(RAW)),
            default_status=DefaultSensorStatus.RUNNING,
            use_user_code_server=True,
            description="Builds models and the report once when their inputs have changed, unless a job builds them.",
        )
