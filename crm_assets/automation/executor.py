"""Which of Dagster's executors runs the steps of a run: `CRM_EXECUTOR`."""

from collections.abc import Mapping
from types import MappingProxyType

from dagster import ExecutorDefinition, get_dagster_logger, in_process_executor, multiprocess_executor

from crm_assets.settings import setting_at_load

EXECUTORS: Mapping[str, ExecutorDefinition] = MappingProxyType(
    {"in_process": in_process_executor, "multiprocess": multiprocess_executor}
)
"""Value of `CRM_EXECUTOR` -> executor."""


def configured_executor() -> ExecutorDefinition:
    """The executor that `CRM_EXECUTOR` names. An unknown name gives a warning: the code location has to load."""
    return EXECUTORS[setting_at_load("executor", get_dagster_logger().warning)]
