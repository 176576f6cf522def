"""How often each resource's schedule reads it."""

from collections.abc import Mapping
from datetime import timedelta

from crm_assets.api import ENDPOINTS
from crm_assets.settings import Crm, EndpointSettings, setting_at_load
from crm_assets.settings.endpoints import HOUR_MINUTES


def read_cadences(crm: Crm) -> dict[str, timedelta]:
    """Resource -> the time between two scheduled reads: `cadence_minutes` in the settings of its endpoint.

    A wrong setting is reported by the runs, not here.
    """
    endpoints: Mapping[str, EndpointSettings] = setting_at_load("endpoints", crm=crm)
    return {
        resource: timedelta(minutes=endpoints.get(resource, EndpointSettings()).cadence_minutes)
        for resource in ENDPOINTS
    }


def start_minute(position: int, step: int) -> int:
    """The minute of the hour at which the thing at a position starts: `step` minutes after the one before it.

    Each round of the clock is seven minutes later than the last, so sixty things start at sixty different minutes, and
    one more at the end moves no other. `step` must divide 60.
    """
    return (position * step + position * step // HOUR_MINUTES * 7) % HOUR_MINUTES


def cron(minute: int, cadence: timedelta) -> str:
    """The cron expression of a schedule.

    Args:
        minute: The resource's own minute, so that no two resources start at the same time.
        cadence: Minutes that divide an hour, or whole hours that divide a day.
    """
    minute, minutes = minute % HOUR_MINUTES, cadence // timedelta(minutes=1)
    if minutes > HOUR_MINUTES:
        return f"{minute} */{minutes // HOUR_MINUTES} * * *"
    return f"{','.join(map(str, range(minute % minutes, HOUR_MINUTES, minutes)))} * * * *"
