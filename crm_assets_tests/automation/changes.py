"""Changes in a CRM, and the assets that depend on them."""

from collections import Counter

from dagster import AssetKey

from crm_assets.definitions import defs
from crm_assets_tests.scripted_crm import ScriptedCrm

RAW = ("accounts", "contacts", "won_deals", "open_tasks", "past_appointments")


def record(id_: int) -> dict[str, object]:
    return {"id": id_, "updated_at": f"2026-01-{id_:02}T00:00:00Z"}


def add_record(crm: ScriptedCrm, resource: str) -> None:
    crm.lists[resource].append(record(len(crm.lists[resource]) + 1))


def below(*assets: str) -> Counter[str]:
    """All that depends on some assets, once each."""
    graph = defs.resolve_asset_graph()
    found, left = set[AssetKey](), [AssetKey(asset.split("/")) for asset in assets]
    while left:
        for key in graph.get(left.pop()).child_keys - found:
            found.add(key)
            left.append(key)
    return Counter(key.to_user_string() for key in found)
