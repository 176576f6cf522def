"""The marts that the report is drawn from, built on a few raw rows."""

from crm_assets_tests.models.conftest import _tables, crm

__all__ = ["_tables", "crm"]
