"""The data tests of the models find what they are for."""

from datetime import timedelta
from typing import Any

import pytest

from crm_assets.api import ENDPOINTS
from crm_assets_tests.models.raw_tables import RawTables, failing

pytestmark = pytest.mark.slow

HEALTH = "marts.pipeline_health_daily"


@pytest.mark.long
@pytest.mark.parametrize("resource", ENDPOINTS)
@pytest.mark.parametrize(("known", "found"), [([7], 1), ([7, 8], 0), ([], 0)])
def test_owners_are_users_if_users_are_known(crm: RawTables, resource: str, known: list[int], found: int) -> None:
    held = {"creater_id": [7, 8], "from_date": [crm_now(crm)] * 2}
    crm.add_each(resource, **(held if resource == "past_appointments" else {"owner_id": [7, 8]}))
    for user in known:
        crm.side_load("users", user)
    crm.build("marts.owner_performance")

    assert failing(crm, "marts.owner_performance", "owner_id_known_users") == found


@pytest.mark.parametrize(
    ("resource", "row"),
    [
        ("contacts", {"sales_account_id": 5}),
        ("won_deals", {"sales_account_id": 5}),
        ("accounts", {"parent_sales_account_id": 5}),
        ("open_tasks", {"targetable_id": 5, "targetable_type": "SalesAccount"}),
        ("past_appointments", {"targetable_id": 5, "targetable_type": "SalesAccount"}),
    ],
)
@pytest.mark.parametrize("account", ["listed", "deleted", "missing"])
def test_accounts_of_records_are_listed(crm: RawTables, resource: str, row: dict[str, Any], account: str) -> None:
    crm.add(resource, 1, **row)
    if account != "missing":
        crm.add("accounts", 5, is_deleted=account == "deleted")
    crm.build("marts.account_overview")

    assert failing(crm, "marts.account_overview", "records_of_listed_accounts") == (account != "listed")


@pytest.mark.long
@pytest.mark.parametrize(("before", "after", "found"), [(100, 59, 1), (100, 60, 0), (20, 0, 0), (26, 0, 1)])
@pytest.mark.parametrize("resource", ["accounts", "contacts", "won_deals", "past_appointments"])
def test_a_list_that_shrinks_in_a_day_is_noticed(
    crm: RawTables, resource: str, before: int, after: int, found: int
) -> None:
    crm.add_each(resource, created_at=[None] * before)
    crm.build(HEALTH)
    crm.connection.execute(f"update {HEALTH} set snapshot_date = snapshot_date - 1")
    crm.connection.execute(f"delete from raw.{resource} where id >= ?", [after])
    crm.build(HEALTH)

    assert failing(crm, HEALTH, "lists_did_not_shrink") == found


@pytest.mark.parametrize(("names", "found"), [(["One", "Two"], 0), (["One", None], 1), ([None, None], 0)], ids=str)
def test_deals_have_names_unless_they_are_left_out(crm: RawTables, names: list[str | None], found: int) -> None:
    crm.add_each("won_deals", name=names)
    crm.build("staging.stg_won_deals")

    assert failing(crm, "staging.stg_won_deals", "deal_name_not_null") == found


@pytest.mark.parametrize(("ids", "found"), [([1, 2], 0), ([1, 1, 2, 2], 2), ([1, None], 1)])
def test_keys_are_unique_and_not_null(crm: RawTables, ids: list[int | None], found: int) -> None:
    crm.build("staging.stg_accounts")
    for id_ in ids:
        crm.add("accounts", 0 if id_ is None else id_)
    crm.connection.execute("update raw.accounts set id = null where id = 0")
    crm.build("seeds.owner_targets")

    assert failing(crm, "staging.stg_accounts", "account_id_primary_key") == found


@pytest.mark.parametrize("mart", ["account_overview", "contact_engagement", "meeting_activity_weekly", "task_backlog"])
def test_marts_stand_for_all_records(crm: RawTables, mart: str) -> None:
    for resource in ("accounts", "contacts", "open_tasks"):
        crm.add(resource, 1)
    crm.add("past_appointments", 1, from_date=crm_now(crm) - timedelta(days=1))
    crm.build(f"marts.{mart}")
    assert failing(crm, f"marts.{mart}", "has_all") == 0

    crm.connection.execute(f"delete from marts.{mart}")
    assert failing(crm, f"marts.{mart}", "has_all") == 1


def crm_now(crm: RawTables) -> Any:
    """The database's now."""
    [[now]] = crm.connection.execute("select now()").fetchall()
    return now
