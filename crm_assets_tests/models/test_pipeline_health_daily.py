"""marts.pipeline_health_daily: one row a day, which later builds never take away."""

from decimal import Decimal

from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.times import ago

HEALTH = "marts.pipeline_health_daily"
DAYS_AGO = "current_date - snapshot_date"


def test_a_day_tells_the_state_of_all_lists(crm: RawTables) -> None:
    crm.add("accounts", 1, owner_id=7, open_deals_count=2, open_deals_amount=Decimal("10.5"))
    crm.add("accounts", 2, is_deleted=True)
    crm.add("contacts", 11)
    crm.add("won_deals", 21, amount=Decimal(3), closed_date=ago(days=29).date())
    crm.add("won_deals", 22, amount=Decimal(4), closed_date=ago(days=30).date())
    crm.add("open_tasks", 31, due_date=ago(days=1))
    crm.add("past_appointments", 51, from_date=ago(days=1))

    counts = ("accounts", "accounts_without_owner", "contacts", "contacts_without_account", "crm_open_deals")
    assert crm.row(HEALTH, *counts) == (1, 0, 1, 1, 2)
    deals = ("won_deals", "won_amount", "won_deals_30_days", "won_amount_30_days")
    assert crm.row(HEALTH, *deals) == (2, Decimal(7), 1, Decimal(3))
    activities = ("open_tasks", "overdue_tasks", "unassigned_tasks", "past_appointments", "appointments_30_days")
    assert crm.row(HEALTH, *activities) == (1, 1, 1, 1, 1)


def test_a_second_build_on_a_day_replaces_its_row(crm: RawTables) -> None:
    crm.build(HEALTH)
    crm.add("open_tasks", 31)

    assert crm.rows(HEALTH, DAYS_AGO, "open_tasks") == [(0, 1)]


def test_earlier_days_stay_as_they_were(crm: RawTables) -> None:
    crm.build(HEALTH)
    crm.connection.execute(f"update {HEALTH} set snapshot_date = snapshot_date - 1")
    crm.add("open_tasks", 31)

    assert crm.rows(HEALTH, DAYS_AGO, "open_tasks") == [(0, 1), (1, 0)]
