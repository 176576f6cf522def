"""Two sandboxes shared by all tests: one with a fixed clock, one with a clock that tests set."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from crm_assets_tests.sandbox.client import NOW, PATHS, Client, Row, client_of_sandbox

LIVING_ROWS = 1000


@dataclass
class Clock:
    """A clock that a test sets."""

    now: datetime = field(default=NOW)

    def __call__(self) -> datetime:
        """Tell the instant."""
        return self.now


@pytest.fixture(scope="session")
def crm() -> Iterator[Client]:
    """A sandbox of the default size, frozen."""
    with client_of_sandbox() as client:
        yield client


@pytest.fixture(scope="session")
def lists(crm: Client) -> dict[str, list[Row]]:
    """All records of the frozen sandbox, by path."""
    return {path: crm.read(path) for path in PATHS}


@pytest.fixture(scope="session")
def _clock_and_crm() -> Iterator[tuple[Clock, Client]]:
    clock = Clock()
    with client_of_sandbox(now=clock, rows=LIVING_ROWS) as client:
        yield clock, client


@pytest.fixture
def clock(_clock_and_crm: tuple[Clock, Client]) -> Clock:
    """The clock of ``living_crm``, back at the beginning."""
    clock, _ = _clock_and_crm
    clock.now = NOW
    return clock


@pytest.fixture
def living_crm(_clock_and_crm: tuple[Clock, Client]) -> Client:
    """A sandbox of ``LIVING_ROWS`` rows whose time the test moves."""
    _, client = _clock_and_crm
    return client
