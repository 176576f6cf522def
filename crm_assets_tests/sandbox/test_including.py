"""The records that ``include`` adds."""

import pytest

from crm_assets_tests.sandbox.client import Client, Row


@pytest.mark.parametrize("path", ["/v1/deals", "/v1/contacts"])
def test_records_name_no_account_or_owner_without_include(lists: dict[str, list[Row]], path: str) -> None:
    assert not {"sales_account_id", "sales_accounts", "owner_id"} & {key for row in lists[path] for key in row}


def test_side_loaded_arrays_stand_before_the_deals(crm: Client) -> None:
    answer = crm.get("/v1/deals", include="sales_account,owner").json()
    assert list(answer) == ["sales_accounts", "users", "deals", "meta"]


def test_deals_refer_to_side_loaded_records(crm: Client) -> None:
    answer = crm.get("/v1/deals", include="sales_account,owner", per_page=100).json()
    accounts = {account["id"] for account in answer["sales_accounts"]}
    owners = {user["id"] for user in answer["users"]}
    assert {deal["sales_account_id"] for deal in answer["deals"]} == accounts | {None}
    assert {deal["owner_id"] for deal in answer["deals"]} == owners | {None}


def test_contacts_then_hold_their_account(crm: Client) -> None:
    contacts = crm.page("/v1/contacts", include="sales_accounts,owner", per_page=100)
    for contact in contacts:
        ids = [account["id"] for account in contact["sales_accounts"]]
        assert ids == ([contact["sales_account_id"]] if contact["sales_account_id"] else [])


def test_only_the_owner_can_be_included(crm: Client) -> None:
    answer = crm.get("/v1/contacts", include="owner").json()
    assert list(answer) == ["users", "contacts", "meta"]
    assert "sales_account_id" not in answer["contacts"][0]


WHO = {"/v1/accounts": "owner", "/v1/tasks": "owner", "/v1/appointments": "creater"}


@pytest.mark.parametrize("path", WHO)
def test_users_are_side_loaded_where_records_name_them_anyway(
    crm: Client, lists: dict[str, list[Row]], path: str
) -> None:
    answer = crm.get(path, include=WHO[path], per_page=100).json()
    *arrays, key, _ = answer
    assert arrays == ["users"]
    assert {row[f"{WHO[path]}_id"] for row in answer[key]} <= {user["id"] for user in answer["users"]} | {None}
    assert answer[key] == lists[path][:100]


def test_an_accounts_industry_is_the_trade_in_its_name(crm: Client) -> None:
    answer = crm.get("/v1/accounts", include="industry_type", per_page=100).json()
    industries = {industry["id"]: industry["name"] for industry in answer["industry_types"]}
    assert all(industries[account["industry_type_id"]] in account["name"] for account in answer["sales_accounts"])


def test_a_deals_stage_can_be_side_loaded(crm: Client) -> None:
    answer = crm.get("/v1/deals", include="deal_stage").json()
    assert {deal["deal_stage_id"] for deal in answer["deals"]} == {stage["id"] for stage in answer["deal_stages"]}


@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/contacts"])
def test_an_include_without_meaning_adds_nothing(crm: Client, path: str) -> None:
    assert crm.get(path, include="weather").content == crm.get(path).content
