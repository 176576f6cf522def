"""The marts that the report is drawn from, built on a few raw rows."""

import pytest

from crm_assets_tests.models.conftest import _tables, crm
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.times import ago
from crm_assets_tests.reports.drawn import today
from crm_assets_tests.reports.invented import HOSTILE

__all__ = ["_tables", "crm"]


@pytest.fixture
def busy(crm: RawTables) -> RawTables:
    """A CRM with customers of hostile names."""
    for number, name in enumerate(HOSTILE, 1):
        crm.side_load("users", number, display_name=name)
        crm.add("accounts", number, name=name, owner_id=number, last_contacted=ago(days=100))
        crm.add("won_deals", number, amount=1234567, closed_date=today(), owner_id=number, sales_account_id=number)
        crm.add("open_tasks", number, owner_id=number, due_date=ago(days=9))
    return crm
