"""Lists that the sandbox has no records for."""

import requests

from crm_assets.sandbox import serving_sandbox


def test_a_list_without_records_is_empty_and_counted() -> None:
    with serving_sandbox(rows=10, empty_lists={"/v1/lost_deals": "deals"}) as sandbox:
        url, key = f"{sandbox.base_url}/v1/lost_deals", {"api_key": sandbox.api_key}
        assert requests.get(url, headers=key, timeout=10).json() == {"deals": [], "meta": {"total": 0}}
        assert requests.get(url, timeout=10).status_code == 401
