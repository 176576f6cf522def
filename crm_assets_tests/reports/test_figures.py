"""The figures of the sales review that `test_every_figure.py` does not meet: what is empty, and what was before."""

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from crm_assets.reports.figures import SalesReview, headline_before, headline_json, read_figures
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.times import ago, ahead


def review(crm: RawTables) -> SalesReview:
    crm.build()
    return read_figures(crm.connection)


def today() -> date:
    return datetime.now(timezone.utc).date()


def test_months_in_which_nothing_was_won_are_shown_as_well(crm: RawTables) -> None:
    crm.add("won_deals", 1, amount=100, closed_date=today(), owner_id=1)
    crm.add("won_deals", 2, amount=50, closed_date=today(), owner_id=2)

    revenue = review(crm).revenue
    assert len(revenue) == 24
    assert revenue[-1] == {"month": today().replace(day=1), "won_amount": 150.0, "won_deals": 2, "target_amount": None}
    assert {row["won_amount"] for row in revenue[:-1]} == {0.0}


def test_weeks_in_which_nobody_met_are_shown_as_well(crm: RawTables) -> None:
    crm.add("past_appointments", 1, from_date=ago(days=7), end_date=ago(days=7))

    meetings = review(crm).meetings
    assert len(meetings) == 26
    assert meetings[-1]["week"] == today() - timedelta(days=today().weekday())
    assert [row["meetings"] for row in meetings[-2:]] == [1, 0]


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
