"""Chooses the Dagster executor of runs, from `CRM_EXECUTOR`."""

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
"""Value of `CRM_EXECUTOR`, also the name of its extra -> module and attribute of an executor that runs each step in a
container."""


def configured_executor() -> ExecutorDefinition:
    """The executor in `CRM_EXECUTOR`.

    An unknown name, or an extra that is not installed, is only a warning, since the code location must load.
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
            f"Setting CRM_EXECUTOR is {name!r}, but its packages are not installed ({error}). Install them with: "
            f"pip install 'crm_assets[{name}]'. Steps run in the process of their run."
        )
        return in_process_executor
    return executor
