"""How old assets may be before they are late."""

from datetime import timedelta

import pytest
from dagster import AssetKey

from crm_assets.definitions import defs


@pytest.mark.parametrize(
    ("asset", "hours"), [("raw/accounts", 3), ("staging/stg_accounts", 29), ("published/database", 29)]
)
def test_raw_table_may_miss_three_reads_others_a_night_more(asset: str, hours: int) -> None:
    policy = defs.resolve_asset_graph().get(AssetKey(asset.split("/"))).freshness_policy
    assert policy is not None
    assert policy.fail_window.to_timedelta() == timedelta(hours=hours)  # type: ignore[attr-defined]
