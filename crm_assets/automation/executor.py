"""Which of Dagster's executors runs the steps of a run: `CRM_EXECUTOR`."""

import os
from collections.abc import Mapping
from types import MappingProxyType

from dagster import ExecutorDefinition, get_dagster_logger, in_process_executor, multiprocess_executor

EXECUTORS: Mapping[str, ExecutorDefinition] = MappingProxyType(
    {"in_process": in_process_executor, "multiprocess": multiprocess_executor}
)
"""Value of `CRM_EXECUTOR` -> executor. The first is the default: a process for each step takes two seconds to start."""


def configured_executor() -> ExecutorDefinition:
    """The executor that `CRM_EXECUTOR` names. A value that names none is warned of: the code location has to load."""
    default, *_ = EXECUTORS
    name = os.environ.get("CRM_EXECUTOR") or default
    if name not in EXECUTORS:
        get_dagster_logger().warning(
            f"CRM_EXECUTOR is {name!r}, which is not allowed: {default} is used. Allowed are {', '.join(EXECUTORS)}"
        )
    return EXECUTORS.get(name, EXECUTORS[default])
