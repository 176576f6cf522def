"""What the resources say while they are used."""

import logging
from collections.abc import Iterator

import pytest
from dagster import get_dagster_logger


@pytest.fixture
def told() -> Iterator[list[str]]:
    """Messages of Dagster's logger, as they come."""
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logger = get_dagster_logger()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel("INFO")
    yield messages
    logger.removeHandler(handler)
    logger.setLevel(level)
