"""Names next to ids, from side-loaded records."""

from typing import Any

import pytest

from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.times import ago, utc

ADA = 402_000_017_001

OWNED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "marts.account_overview": ("accounts", "owner_name", {"owner_id": ADA}),
    "marts.contact_engagement": ("contacts", "owner_name", {"owner_id": ADA}),
    "marts.won_revenue_monthly": ("won_deals", "owner_name", {"owner_id": ADA, "created_at": ago(days=1)}),
    "marts.task_backlog": ("open_tasks", "owner_name", {"owner_id": ADA}),
    "marts.meeting_activity_weekly": (
        "past_appointments",
        "creator_name",
        {"creater_id": ADA, "end_date": utc("2026-01-05T10:00:00")},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("mart", OWNED)
def test_mart_names_users(crm: RawTables, mart: str) -> None:
    resource, column, row = OWNED[mart]
    crm.add(resource, 1, **row)
    crm.side_load("users", ADA, display_name="Ada")
    crm.side_load("users", ADA + 1, display_name="Bob")

    assert crm.rows(mart, column) == [("Ada",)]


@pytest.mark.slow
@pytest.mark.parametrize("mart", OWNED)
def test_name_is_null_without_side_loaded_users(crm: RawTables, mart: str) -> None:
    resource, column, row = OWNED[mart]
    crm.add(resource, 1, **row)

    assert crm.rows(mart, column) == [(None,)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mart", "resource", "row"),
    [
        ("marts.owner_performance", "accounts", {}),
        ("marts.account_ownership", "accounts", {}),
        ("marts.won_deal_changes", "won_deals", {}),
        ("marts.task_durations", "open_tasks", {}),
        ("marts.owner_month", "won_deals", {}),
    ],
)
def test_so_do_marts_of_history_targets_and_performance(
    crm: RawTables, mart: str, resource: str, row: dict[str, Any]
) -> None:
    crm.add(resource, 1, owner_id=ADA, **row)
    crm.side_load("users", ADA, display_name="Ada")

    crm.build(mart)
    assert ("Ada",) in crm.connection.execute(f"select owner_name from {mart} where owner_id = {ADA}").fetchall()


def test_an_accounts_industry_territory_and_parent_have_names(crm: RawTables) -> None:
    crm.add("accounts", 1, name="Acme Holding")
    crm.add("accounts", 2, parent_sales_account_id=1, industry_type_id=5, territory_id=5)
    crm.side_load("industry_types", 5, name="Foods")
    crm.side_load("territories", 5, name="North")

    named = ("account_id", "parent_account_name", "industry_name", "territory_name")
    assert crm.rows("marts.account_overview", *named) == [(1, None, None, None), (2, "Acme Holding", "Foods", "North")]


def test_a_contacts_lifecycle_stage_has_a_name(crm: RawTables) -> None:
    crm.add("contacts", 1, lifecycle_stage_id=5)
    crm.side_load("lifecycle_stages", 5, name="Customer")

    assert crm.row("marts.contact_engagement", "lifecycle_stage_name") == ("Customer",)


@pytest.mark.parametrize(
    ("sent", "user"),
    [
        pytest.param({"display_name": " Ada ", "is_active": True}, ("Ada", True), id="display-name"),
        pytest.param({"display_name": "", "name": "Ada", "is_active": False}, ("Ada", False), id="name"),
        pytest.param({"display_name": None, "is_active": "perhaps"}, (None, None), id="neither"),
    ],
)
def test_a_user_has_the_display_name_or_else_the_name(
    crm: RawTables, sent: dict[str, Any], user: tuple[Any, ...]
) -> None:
    crm.side_load("users", ADA, **sent)

    assert crm.row("staging.stg_users", "user_name", "is_active") == user


def test_a_stage_has_its_pipeline_and_its_meaning(crm: RawTables) -> None:
    crm.side_load("deal_stages", 1, name="Won", deal_pipeline_id=7, position=6, forecast_type="Closed Won")

    columns = ("stage_id", "stage_name", "pipeline_id", "position_in_pipeline", "forecast_type")
    assert crm.row("staging.stg_deal_stages", *columns) == (1, "Won", 7, 6, "Closed Won")


def test_names_are_those_of_all_arrays_but_users(crm: RawTables) -> None:
    crm.side_load("users", 1, name="Ada")
    crm.side_load("campaigns", 1, name="Spring")
    crm.side_load("territories", 1, name=" ")
    crm.side_load("currencies", 1, name="Euro")

    named = ("array_name", "record_id", "record_name")
    assert crm.rows("staging.stg_names", *named) == [("campaigns", 1, "Spring"), ("currencies", 1, "Euro")]
