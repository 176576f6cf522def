"""Names next to ids, from side-loaded records."""

from crm_assets_tests.models.raw_tables import RawTables


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


def test_a_user_has_the_display_name_or_else_the_name(crm: RawTables) -> None:
    crm.side_load("users", 1, display_name=" Ada ", is_active=True)
    crm.side_load("users", 2, display_name="", name="Ada", is_active=False)
    crm.side_load("users", 3, display_name=None, is_active="perhaps")

    columns = ("user_id", "user_name", "is_active")
    assert crm.rows("staging.stg_users", *columns) == [(1, "Ada", True), (2, "Ada", False), (3, None, None)]


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
