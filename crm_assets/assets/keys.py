"""The keys of assets."""

from dagster import AssetKey

from crm_assets.settings import Crm


def asset_key(crm: Crm, address: str) -> AssetKey:
    """The asset key of a CRM's table or view: `marts/task_backlog` for `marts.task_backlog`."""
    return AssetKey(crm.path(address))
