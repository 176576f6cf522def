"""marts.pipeline_health_daily: one row a day, which later builds never take away."""

from datetime import timedelta
from decimal import Decimal

import pytest

from crm_assets.reports.figures import read_figures
from crm_assets.runner.unchanged import report_in
from crm_assets_tests.models.raw_tables import FIRST, SECOND, RawTables, failing, models
from crm_assets_tests.models.times import ago

HEALTH = "marts.pipeline_health_daily"
DAYS_AGO = "current_date - snapshot_date"


def test_only_the_last_thirty_days_and_what_is_not_deleted_count(crm: RawTables) -> None:
    crm.add("accounts", 1, open_deals_count=2, open_deals_amount=Decimal("10.5"))
    crm.add("accounts", 2, is_deleted=True, open_deals_count=1)
    crm.add("won_deals", 21, amount=Decimal(3), closed_date=ago(days=29).date())
    crm.add("won_deals", 22, amount=Decimal(4), closed_date=ago(days=30).date())

    of_accounts = ("accounts", "accounts_without_owner", "crm_open_deals", "crm_open_deals_amount")
    assert crm.row(HEALTH, *of_accounts) == (1, 1, 2, Decimal("10.5"))
    of_deals = ("won_deals", "won_amount", "won_deals_30_days", "won_amount_30_days")
    assert crm.row(HEALTH, *of_deals) == (2, 7, 1, 3)


def test_a_second_build_on_a_day_replaces_its_row(crm: RawTables) -> None:
    crm.build(HEALTH)
    crm.add("open_tasks", 31)

    assert crm.rows(HEALTH, DAYS_AGO, "open_tasks") == [(0, 1)]


def test_earlier_days_stay_as_they_were(crm: RawTables) -> None:
    crm.build(HEALTH)
    crm.connection.execute(f"update {HEALTH} set snapshot_date = snapshot_date - 1")
    crm.add("open_tasks", 31)

    assert crm.rows(HEALTH, DAYS_AGO, "open_tasks") == [(0, 1), (1, 0)]


@pytest.mark.slow
def test_days_that_are_still_to_come_only_warn(crm: RawTables) -> None:
    report_in(crm.connection, "Pacific/Kiritimati")
    crm.build(HEALTH)
    crm.connection.execute(f"update {HEALTH} set snapshot_date = snapshot_date + 1")
    report_in(crm.connection, "America/Los_Angeles")
    try:
        crm.add("open_tasks", 31)
        crm.build()
        assert crm.rows(HEALTH, "open_tasks") == [(0,), (1,)]
        assert failing(crm, HEALTH, "no_day_to_come") == 1
        assert read_figures(crm.connection)["headline"][0]["open_tasks"] == 1
    finally:
        report_in(crm.connection, "UTC")


def test_day_of_a_clock_that_was_ahead_is_not_the_latest(crm: RawTables) -> None:
    crm.log("accounts", FIRST)
    crm.build()
    crm.connection.execute(
        f"update {HEALTH} set snapshot_date = snapshot_date + 300, taken_at = taken_at + to_days(300), accounts = 99"
    )
    crm.add("won_deals", 21, amount=3)
    crm.build()

    assert crm.rows(HEALTH, DAYS_AGO, "won_deals") == [(-300, 0), (0, 1)]
    assert failing(crm, HEALTH, "lists_did_not_shrink") == 0
    assert failing(crm, HEALTH, "full_reads_are_recent") == 0
    latest = read_figures(crm.connection)["headline"][0]
    assert (latest["won_deals_30_days"], latest["snapshot_date"]) == (0, latest["taken_at"].date())


def test_tests_against_the_clock_never_block_a_table() -> None:
    clocks = ("now(", "current_date", "current_timestamp", "today(")
    against_the_clock = [
        test
        for model in models().values()
        for test in model.data_tests
        if any(c in str(test.arguments) for c in clocks)
    ]
    assert against_the_clock
    assert not [test.name for test in against_the_clock if test.blocks]


@pytest.mark.parametrize(
    ("mode", "complete", "age", "warns"),
    [
        pytest.param("full", True, timedelta(hours=47), 0, id="recent"),
        pytest.param("full", True, timedelta(hours=49), 1, id="old"),
        pytest.param("full", False, timedelta(hours=1), 1, id="incomplete"),
        pytest.param("incremental", True, timedelta(hours=1), 1, id="incremental"),
    ],
)
def test_a_list_that_was_not_read_in_full_for_two_days_warns(
    crm: RawTables, mode: str, complete: bool, age: timedelta, warns: int
) -> None:
    crm.log("won_deals", FIRST, mode, complete=complete)
    crm.connection.execute("update raw.sync_log set started_at = started_at - ?", [age])
    crm.build(HEALTH)

    assert failing(crm, HEALTH, "full_reads_are_recent") == warns


def test_a_read_of_a_clock_that_was_ahead_does_not_stay_recent(crm: RawTables) -> None:
    crm.log("won_deals", FIRST)
    crm.log("won_deals", SECOND)
    crm.connection.execute(
        "update raw.sync_log set started_at = started_at + to_days(if(_dlt_load_id = ?, -3, 300))", [FIRST]
    )
    crm.build(HEALTH)

    assert failing(crm, HEALTH, "full_reads_are_recent") == 1


def test_a_list_that_shrinks_while_the_day_becomes_an_earlier_one_is_noticed(crm: RawTables) -> None:
    """As after the reporting time zone has moved west."""
    crm.add_each("contacts", created_at=[None] * 100)
    crm.build(HEALTH)
    crm.connection.execute(f"update {HEALTH} set snapshot_date = snapshot_date + 1")
    crm.connection.execute("delete from raw.contacts where id >= 50")
    crm.build(HEALTH)

    assert failing(crm, HEALTH, "lists_did_not_shrink") == 1


def test_open_deals_that_cannot_be_added_up_do_not_count(crm: RawTables) -> None:
    for account, amount in enumerate([10**28, 9 * 10**28, 10**20]):
        crm.add("accounts", account, open_deals_amount=Decimal(amount), open_deals_count=2**62)

    assert crm.row(HEALTH, "crm_open_deals_amount", "crm_open_deals") == (10**20, None)
