"""How runs are executed, watched and cleaned up."""

from collections.abc import Mapping
from importlib import import_module

import dagster as dg

from crm_assets.alerts.reporting import send_alerts
from crm_assets.automation.sensors import delete_old_runs
from crm_assets.settings import find, setting_at_load


@dg.definitions
def runs() -> dg.Definitions:
    """The executor, the sensor that sends alerts, and the clean-up. Warns of unknown settings."""
    for sentence in find().unknown:
        dg.get_dagster_logger().warning(sentence)
    return dg.Definitions(executor=configured_executor(), sensors=[send_alerts, delete_old_runs])


EXECUTORS: Mapping[str, tuple[str, str]] = {
    "in_process": ("dagster", "in_process_executor"),
    "multiprocess": ("dagster", "multiprocess_executor"),
    "docker": ("dagster_docker", "docker_executor"),
    "k8s": ("dagster_k8s", "k8s_job_executor"),
}
"""Value of `CRM_EXECUTOR` -> module and attribute of the executor. The last two run each step in a container; the
extras with their packages have the same names."""


def configured_executor() -> dg.ExecutorDefinition:
    """The executor in `CRM_EXECUTOR`.

    An unknown name, or an extra that is not installed, is only a warning, since the code location must load.
    """
    warn = dg.get_dagster_logger().warning
    name = setting_at_load("executor", warn)
    module, attribute = EXECUTORS[name]
    try:
        executor: dg.ExecutorDefinition = getattr(import_module(module), attribute)
    except ImportError as error:
        warn(
            f"Setting CRM_EXECUTOR is {name!r}, but its packages are not installed ({error}). Install them with: "
            f"pip install 'crm_assets[{name}]'. Steps run in the process of their run."
        )
        return dg.in_process_executor
    return executor
