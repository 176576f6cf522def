"""Which of Dagster's executors runs the steps of a run: `CRM_EXECUTOR`."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from dagster import ExecutorDefinition, get_dagster_logger, in_process_executor, multiprocess_executor

from crm_assets.settings import setting_at_load

EXECUTORS: Mapping[str, ExecutorDefinition] = MappingProxyType(
    {"in_process": in_process_executor, "multiprocess": multiprocess_executor}
)
"""Value of `CRM_EXECUTOR` -> executor that runs steps on the machine of their run."""

IN_CONTAINERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"docker": ("dagster_docker", "docker_executor"), "k8s": ("dagster_k8s", "k8s_job_executor")}
)
"""Value of `CRM_EXECUTOR`, and the extra that brings it -> module and attribute of an executor that gives each step a
container."""


def configured_executor() -> ExecutorDefinition:
    """The executor that `CRM_EXECUTOR` names.

    An unknown name, or one whose extra is not installed, gives a warning, as the code location has to load.
    """
    warn = get_dagster_logger().warning
    name = setting_at_load("executor", warn)
    if name in EXECUTORS:
        return EXECUTORS[name]
    module, attribute = IN_CONTAINERS[name]
    try:
        executor: ExecutorDefinition = getattr(import_module(module), attribute)
    except ImportError as error:
        warn(
            f"Setting CRM_EXECUTOR is {name!r}, and what it needs is not installed ({error}). Install it with: "
            f"pip install 'crm_assets[{name}]'. Steps run in the process of their run."
        )
        return in_process_executor
    return executor
