"""How runs are executed, watched and cleaned up."""

import dagster as dg

from crm_assets.alerts.reporting import send_alerts
from crm_assets.automation.jobs import configured_executor
from crm_assets.automation.sensors import delete_old_runs
from crm_assets.settings import find


@dg.definitions
def runs() -> dg.Definitions:
    """The executor, the sensor that sends alerts, and the clean-up. Warns of unknown settings."""
    for sentence in find().unknown:
        dg.get_dagster_logger().warning(sentence)
    return dg.Definitions(executor=configured_executor(), sensors=[send_alerts, delete_old_runs])
