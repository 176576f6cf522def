"""The CRM that requests are sent to."""

from collections.abc import Iterator

import pytest

from crm_assets_tests.scripted_crm import ScriptedCrm, configured_crm, tasks


@pytest.fixture
def crm() -> Iterator[ScriptedCrm]:
    """A CRM with three pages of tasks."""
    with configured_crm(lists={"open_tasks": tasks(130)}) as crm:
        yield crm
