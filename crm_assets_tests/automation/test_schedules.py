"""When the schedules run."""

from datetime import timedelta

import pytest

from crm_assets.automation.schedules import STEP, cron, start_minute
from crm_assets.settings import CrmSettings


def test_no_two_of_sixty_schedules_start_at_the_same_minute() -> None:
    minutes = [start_minute(position) for position in range(60)]
    assert minutes[: 60 // STEP] == list(range(0, 60, STEP))
    assert sorted(minutes) == list(range(60))


@pytest.mark.parametrize(
    ("cadence", "expected"),
    [
        (60, "12 * * * *"),
        (15, "12,27,42,57 * * * *"),
        (5, "2,7,12,17,22,27,32,37,42,47,52,57 * * * *"),
        (240, "12 */4 * * *"),
    ],
)
def test_a_resource_keeps_its_minute_at_every_cadence(cadence: int, expected: str) -> None:
    assert cron(12, timedelta(minutes=cadence)) == expected


@pytest.mark.parametrize("minutes", [7, 90, 300, 0, 2880])
def test_a_cadence_that_does_not_fit_the_clock_is_refused(minutes: int) -> None:
    with pytest.raises(ValueError, match="cadence_minutes"):
        CrmSettings.model_validate({"endpoints": {"accounts": {"cadence_minutes": minutes}}})
