"""marts.owner_performance: one row an owner. test_recomputed.py counts its figures."""

from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.times import ago

PERFORMANCE = "marts.owner_performance"


def test_an_owner_with_meetings_only_has_a_row(crm: RawTables) -> None:
    crm.add("past_appointments", 1, creater_id=7, from_date=ago(days=1))

    assert crm.rows(PERFORMANCE, "owner_id", "won_deals", "won_amount", "meetings_30_days") == [(7, 0, 0, 1)]


def test_meetings_of_an_unknown_user_are_unassigned(crm: RawTables) -> None:
    crm.add("past_appointments", 1, from_date=ago(days=1))

    assert crm.rows(PERFORMANCE, "owner", "meetings_30_days") == [("unassigned", 1)]


def test_who_may_no_longer_sign_in_is_marked(crm: RawTables) -> None:
    crm.add("accounts", 1, owner_id=7)
    crm.side_load("users", 7, display_name="Ada", is_active=False)

    assert crm.row(PERFORMANCE, "owner_name", "owner_is_active") == ("Ada", False)
