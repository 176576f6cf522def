"""The Dagster components of this package: `dg list components` shows them."""

from crm_assets.components.crm import CrmComponent

__all__ = ["CrmComponent"]
