"""Lists change while they are read: what is in them from the first to the last request must be in the result."""

from collections.abc import Callable

import pytest

from crm_assets_tests.scripted_crm import ScriptedCrm, Seen
from crm_assets_tests.source.reading import IN_TURN, configured_crm, read, tasks

ROWS = 230


def before(page: int, change: Callable[[], object]) -> Callable[[Seen], None]:
    """Makes the change once, before the page is first answered."""
    left = [change]

    def before_page(seen: Seen) -> None:
        if seen.page == page and left:
            left.pop()()

    return before_page


@pytest.fixture(params=["1", "8"], ids=["in-turn", "ahead"])
def crm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> "pytest.Generator[ScriptedCrm]":
    monkeypatch.setenv("SOURCES__CRM__MAX_IN_FLIGHT", request.param)
    with configured_crm(monkeypatch, lists={"open_tasks": tasks(ROWS)}) as crm:
        yield crm
