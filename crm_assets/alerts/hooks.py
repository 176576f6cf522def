"""The hook of all assets: Dagster calls it at the end of each step of any run."""

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
from crm_assets.settings.crms import TAKEN

NAME = "alerts"


def _step_ended(context: HookContext, events: Sequence[DagsterEvent]) -> HookExecutionResult:
    """Settles the incidents of the step's asset, after its last retry, and of its checks."""
    failed = any(event.is_step_failure for event in events)
    if not failed and not any(event.is_step_success for event in events):
        return HookExecutionResult(hook_name=NAME, is_skipped=True)  # it will be retried
    asset = asset_of(context.step_key)
    failing, passing = check_incidents(
        event.asset_check_evaluation_data
        for event in events
        if event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION
    )
    if failed:
        error = context.op_exception
        reason = error.description if isinstance(error, Failure) else type(error).__name__
        failing.insert(0, Incident(f"asset {asset}", f"{asset} failed: {reason}"))
    else:
        passing.append(f"asset {asset}")
    settle_incidents(failing, passing, f"runs/{context.run_id}")
    return HookExecutionResult(hook_name=NAME)


# One hook for success and failure: Dagster stores an event for each hook, called or skipped.
ALERT_HOOKS: frozenset[HookDefinition] = frozenset({HookDefinition(name=NAME, hook_fn=_step_ended)})


def check_incidents(evaluations: Iterable[AssetCheckEvaluation]) -> tuple[list[Incident], list[str]]:
    """The incidents of failed checks, and the keys of passed checks."""
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
    """The key of a step's asset: `raw/accounts` for `raw__accounts`, below the name of its CRM if it has one."""
    first, *_ = step_key.split("__")
    return step_key.replace("__", "/", 1 if first in TAKEN else 2)
