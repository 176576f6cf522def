"""How often each resource is read by its schedule: `cadence_minutes` in the settings of its endpoint."""

from datetime import timedelta

from crm_assets.settings import EndpointSettings, setting_at_load
from crm_assets.settings.endpoints import HOUR_MINUTES
from crm_assets.source.api import ENDPOINTS


def cadence_minutes(resource: str) -> int:
    """Minutes from one read of a resource by its schedule to the next. A wrong setting is not told here: runs tell."""
    configured: EndpointSettings = setting_at_load("endpoints").get(resource, EndpointSettings())
    return configured.cadence_minutes


def cron(minute: int, cadence: int) -> str:
    """The cron expression of a schedule.

    Args:
        minute: A resource's own, so that no two are read at the same time, whatever other resources there are.
        cadence: Minutes that divide an hour, or whole hours that divide a day.
    """
    if cadence > HOUR_MINUTES:
        return f"{minute} */{cadence // HOUR_MINUTES} * * *"
    return f"{','.join(map(str, range(minute % cadence, HOUR_MINUTES, cadence)))} * * * *"


CADENCES = {resource: timedelta(minutes=cadence_minutes(resource)) for resource in ENDPOINTS}
CRONS = {
    resource: cron(endpoint.minute, int(CADENCES[resource].total_seconds() // 60))
    for resource, endpoint in ENDPOINTS.items()
}
