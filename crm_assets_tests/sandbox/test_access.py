"""Authentication, and the paths that are served."""

import pytest
import requests

from crm_assets.sandbox import serving_sandbox
from crm_assets_tests.sandbox.client import PATHS, Client


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [{}, {"api_key": "wrong"}, {"Authorization": "Token token=wrong"}])
def test_request_without_the_key_is_refused(crm: Client, path: str, headers: dict[str, str]) -> None:
    answer = requests.get(crm.sandbox.base_url + path, headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["errors"]["code"] == 401


def test_an_unknown_path_is_not_found(crm: Client) -> None:
    answer = crm.get("/v1/leads")
    assert (answer.status_code, answer.json()["errors"]["message"]) == (404, ["Not Found"])


def test_lists_are_only_read(crm: Client) -> None:
    headers = {"api_key": crm.sandbox.api_key}
    assert requests.post(crm.sandbox.base_url + "/v1/deals", headers=headers, timeout=10).status_code == 405


def test_the_key_is_not_shown_with_the_sandbox(crm: Client) -> None:
    assert crm.sandbox.api_key not in repr(crm.sandbox)


def test_a_list_without_records_is_empty_and_counted() -> None:
    with serving_sandbox(rows=10, empty_lists={"/v1/lost_deals": "deals"}) as sandbox:
        url, key = f"{sandbox.base_url}/v1/lost_deals", {"api_key": sandbox.api_key}
        assert requests.get(url, headers=key, timeout=10).json() == {"deals": [], "meta": {"total": 0}}
        assert requests.get(url, timeout=10).status_code == 401
