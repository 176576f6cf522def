"""How requests are sent."""

import pytest


@pytest.fixture
def _in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """One request at a time, where a test looks at their order."""
    monkeypatch.setenv("SOURCES__CRM__MAX_IN_FLIGHT", "1")
