"""How often each resource's schedule reads it: `cadence_minutes` in the settings of its endpoint."""

from datetime import timedelta

from crm_assets.settings import EndpointSettings, setting_at_load
from crm_assets.settings.endpoints import HOUR_MINUTES
from crm_assets.source.api import ENDPOINTS


def cadence(resource: str) -> timedelta:
    """The time between two scheduled reads of a resource. A wrong setting is reported by the runs, not here."""
    configured: EndpointSettings = setting_at_load("endpoints").get(resource, EndpointSettings())
    return timedelta(minutes=configured.cadence_minutes)


def scheduled(resource: str) -> str:
    """The cron expression of a resource's schedule."""
    return cron(ENDPOINTS[resource].minute, cadence(resource) // timedelta(minutes=1))


def cron(minute: int, cadence: int) -> str:
    """The cron expression of a schedule.

    Args:
        minute: The resource's own minute, so that no two resources start at the same time.
        cadence: Minutes that divide an hour, or whole hours that divide a day.
    """
    if cadence > HOUR_MINUTES:
        return f"{minute} */{cadence // HOUR_MINUTES} * * *"
    return f"{','.join(map(str, range(minute % cadence, HOUR_MINUTES, cadence)))} * * * *"
