"""The figures of the sales review, from the marts."""

from collections import Counter
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from crm_assets.reports.charts import charts
from crm_assets.reports.figures import SalesReview, headline_before, headline_json, read_figures
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.times import ago, ahead


def review(crm: RawTables) -> SalesReview:
    crm.build()
    return read_figures(crm.connection)


def today() -> date:
    return datetime.now(timezone.utc).date()


def test_months_in_which_nothing_was_won_are_shown_as_well(crm: RawTables) -> None:
    crm.read_from("https://example.com")
    crm.add("won_deals", 1, amount=100, closed_date=today(), owner_id=1)
    crm.add("won_deals", 2, amount=50, closed_date=today(), owner_id=2)

    revenue = review(crm).revenue
    assert len(revenue) == 24
    assert revenue[-1] == {"month": today().replace(day=1), "won_amount": 150.0, "won_deals": 2, "target_amount": None}
    assert {row["won_amount"] for row in revenue[:-1]} == {0.0}


def test_all_targets_count_whoever_has_won_something(crm: RawTables) -> None:
    month = today().replace(day=1)
    crm.set_targets((month, 1, 60_000), (month, 2, 130_000))
    crm.add("won_deals", 1, amount=60_000, closed_date=month, owner_id=1)

    found = review(crm)
    assert found.revenue[-1]["target_amount"] == 190_000
    assert "32% of which is reached this month" in charts(found)[0].description


def test_two_users_of_one_name_are_two_bars(crm: RawTables) -> None:
    for user, name in [(7, "Ada"), (8, "Ada"), (9, "unassigned"), (10, "Bob")]:
        crm.side_load("users", user, display_name=name)
    for task, owner in enumerate([7, 7, 7, 8, 8, 9, None, 10]):
        crm.add("open_tasks", task, owner_id=owner)

    assert [(row["owner"], row["open_tasks"]) for row in review(crm).backlog] == [
        ("Ada (7)", 3),
        ("Ada (8)", 2),
        ("Bob", 1),
        ("unassigned (9)", 1),
        ("unassigned (unassigned)", 1),
    ]


def test_an_open_task_has_the_age_of_its_due_date(crm: RawTables) -> None:
    due = [ago(days=31), ago(days=8), ago(days=6), ahead(days=1), None]
    for task, due_date in enumerate(due):
        crm.add("open_tasks", task, owner_id=7, due_date=due_date)
    crm.add("open_tasks", 99, owner_id=7, status=1)

    assert Counter({row["age"]: row["open_tasks"] for row in review(crm).backlog}) == {
        "over 30 days overdue": 1,
        "8 to 30 days overdue": 1,
        "up to 7 days overdue": 1,
        "not due yet": 1,
        "no due date": 1,
    }


def test_owners_beyond_the_twelfth_are_one(crm: RawTables) -> None:
    crm.connection.execute(
        "insert into raw.open_tasks (id, owner_id, _dlt_load_id) "
        "select range, range % 10000, '1700000000.5' from range(10012)"
    )

    backlog = review(crm).backlog
    assert [row["open_tasks"] for row in backlog] == [2] * 12 + [9988]
    assert backlog[-1]["owner"] == "9988 other owners"


def test_weeks_in_which_nobody_met_are_shown_as_well(crm: RawTables) -> None:
    crm.add("past_appointments", 1, from_date=ago(days=7), end_date=ago(days=7))

    meetings = review(crm).meetings
    assert len(meetings) == 26
    assert meetings[-1]["week"] == today() - timedelta(days=today().weekday())
    assert [row["meetings"] for row in meetings[-2:]] == [1, 0]


def test_account_never_contacted_is_quiet_since_its_entry(crm: RawTables) -> None:
    crm.add("accounts", 1, name="Never", created_at=ago(days=300))
    crm.add("accounts", 2, name="Lately", created_at=ago(days=900), last_contacted=ago(days=2))
    crm.add("accounts", 3, name="Long ago", created_at=ago(days=900), last_contacted=ago(days=400))

    quiet = review(crm).quiet_accounts
    assert [(row["account"], row["days"]) for row in quiet] == [("Long ago", 400), ("Never", 300), ("Lately", 2)]


def test_an_account_entered_in_the_future_is_quiet_for_no_day(crm: RawTables) -> None:
    crm.add("accounts", 1, created_at=ahead(days=2))
    crm.add("accounts", 2)

    assert [row["days"] for row in review(crm).quiet_accounts] == [0, None]


def test_a_review_is_compared_with_the_one_of_other_figures(crm: RawTables, tmp_path: Path) -> None:
    kept = tmp_path / "sales_review.json"
    crm.add("accounts", 1)
    first = review(crm)
    assert headline_before(first, kept) is None
    kept.write_text(headline_json(first, None), encoding="utf-8")

    crm.add("accounts", 2)
    second = review(crm)
    before = headline_before(second, kept)
    assert before is not None
    assert (before.taken_at, before.numbers["accounts"]) == (first.taken_at, 1)

    kept.write_text(headline_json(second, before), encoding="utf-8")
    assert headline_before(second, kept) == before, "drawn again, it still tells what changed"


def test_kept_numbers_that_cannot_be_read_are_as_good_as_none(crm: RawTables, tmp_path: Path) -> None:
    kept = tmp_path / "sales_review.json"
    kept.write_text("{not JSON", encoding="utf-8")

    assert headline_before(review(crm), kept) is None
