"""The hook of all assets: Dagster calls it at the end of each step, whoever started the run."""

from collections.abc import Iterable, Sequence

from dagster import (
    AssetCheckEvaluation,
    DagsterEvent,
    DagsterEventType,
    Failure,
    HookContext,
    HookDefinition,
    HookExecutionResult,
)

from crm_assets.alerts.incidents import Incident
from crm_assets.alerts.settling import settle_incidents

NAME = "alerts"


def _step_ended(context: HookContext, events: Sequence[DagsterEvent]) -> HookExecutionResult:
    """Tells what the step has shown: that its asset failed after its last retry, or is well, and the same of checks."""
    failed = any(event.is_step_failure for event in events)
    if not failed and not any(event.is_step_success for event in events):
        return HookExecutionResult(hook_name=NAME, is_skipped=True)  # it is tried again
    asset = asset_of(context.step_key)
    failing, passing = check_incidents(
        event.asset_check_evaluation_data
        for event in events
        if event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION
    )
    if failed:
        error = context.op_exception
        reason = error.description if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
        failing.insert(0, Incident(f"asset {asset}", f"{asset} failed: {reason}"))
    else:
        passing.append(f"asset {asset}")
    settle_incidents(failing, passing, f"runs/{context.run_id}")
    return HookExecutionResult(hook_name=NAME)


# One for both ends of a step: each hook that Dagster calls, or passes over, is an event of its own in the storage.
ALERT_HOOKS: frozenset[HookDefinition] = frozenset({HookDefinition(name=NAME, hook_fn=_step_ended)})


def check_incidents(evaluations: Iterable[AssetCheckEvaluation]) -> tuple[list[Incident], list[str]]:
    """Incidents of the checks that failed, keys of those that passed."""
    failing, passing = [], []
    for check in evaluations:
        name = f"{check.asset_key.to_user_string()}:{check.check_name}"
        if check.passed:
            passing.append(f"check {name}")
        else:
            said = f": {check.description}" if check.description else ""
            failing.append(Incident(f"check {name}", f"Check {name} failed ({check.severity.value.lower()}){said}"))
    return failing, passing


def asset_of(step_key: str) -> str:
    """The key of a step's asset, which its op is named after: `raw/accounts` of `raw__accounts`."""
    return step_key.replace("__", "/", 1)
