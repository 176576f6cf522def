"""When the schedules run."""

from crm_assets.source.api import ENDPOINTS


def test_no_two_resources_are_read_at_the_same_minute() -> None:
    minutes = [endpoint.minute for endpoint in ENDPOINTS.values()]
    assert len(set(minutes)) == len(minutes)
    assert set(minutes) <= set(range(60))
