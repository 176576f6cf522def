"""The page of the sales review: complete in itself, readable for everyone, and safe to open."""

import html
import re
from datetime import datetime, timezone

import pytest

from crm_assets.reports.charts import charts
from crm_assets.reports.figures import Headline, SalesReview, read_figures
from crm_assets.reports.page import render
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.test_metrics import metrics
from crm_assets_tests.models.times import ago


def drawn(crm: RawTables, before: Headline | None = None) -> tuple[SalesReview, str]:
    crm.build()
    review = read_figures(crm.connection)
    return review, render(review, charts(review), before, "a test")


@pytest.fixture
def busy(crm: RawTables) -> RawTables:
    """A CRM with something of everything."""
    crm.add("accounts", 1, name="<script>alert('Acme')</script>", owner_id=7, created_at=ago(days=9))
    crm.add("won_deals", 2, amount=1234567, closed_date=ago(days=1).date(), owner_id=7)
    crm.add("open_tasks", 3, owner_id=7, due_date=ago(days=9))
    crm.add("past_appointments", 4, from_date=ago(days=7), end_date=ago(days=7))
    return crm


def test_page_needs_no_script_and_no_other_file(busy: RawTables) -> None:
    _, page = drawn(busy)

    assert "<script" not in page
    assert set(re.findall(r"https?://[^\"' ]+", page)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"""(src|href)=["'](?!#)""", page)


def test_names_from_the_crm_are_text(busy: RawTables) -> None:
    _, page = drawn(busy)

    assert "&lt;script&gt;alert(&#39;Acme&#39;)&lt;/script&gt;" in page


def test_each_chart_is_described_for_those_who_cannot_see_it(busy: RawTables) -> None:
    review, page = drawn(busy)

    for chart in charts(review):
        assert f'role="img" aria-labelledby="{chart.name}"' in page
        assert f'id="{chart.name}">{chart.description}' in page
    assert "1,234,567 won in 24 months" in page
    assert "Open tasks: 1, of these overdue: 1." in page


def test_the_share_of_a_target_reached_is_shown(crm: RawTables) -> None:
    month = datetime.now(timezone.utc).date().replace(day=1)
    crm.add("won_deals", 1, amount=50, closed_date=month, owner_id=1)
    crm.set_targets((month, 1, 200))

    assert "25% of which is reached this month" in drawn(crm)[1]


def test_charts_take_the_colour_of_the_pages_text(busy: RawTables) -> None:
    review, _ = drawn(busy)

    for chart in charts(review):
        assert 'fill="currentColor"' in chart.svg
        assert not re.search(r'<text[^>]* fill="(?!currentColor)', chart.svg)


def test_an_empty_crm_has_a_page_that_says_so(crm: RawTables) -> None:
    _, page = drawn(crm)

    for sentence in ("No deal was won", "No task is open", "No meeting in", "There are no accounts"):
        assert sentence in page


def test_ten_thousand_owners_fit_on_it(crm: RawTables) -> None:
    crm.connection.execute(
        "insert into raw.open_tasks (id, owner_id, _dlt_load_id) select range, range, '1700000000.5' from range(10000)"
    )

    _, page = drawn(crm)
    assert "9988 other owners" in page
    assert len(page) < 200_000


def test_changes_since_the_previous_report_are_shown(busy: RawTables) -> None:
    before = Headline(datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc), {"accounts": 3, "open_tasks": 1})

    _, page = drawn(busy, before)
    assert "Changes since the report of 02 January 2026, 03:04 UTC" in page
    assert ">-2</span>" in page
    assert ">no change</span>" in page


def test_metrics_are_defined_as_in_the_documentation(busy: RawTables) -> None:
    review, page = drawn(busy)

    assert len(review.definitions) == 4
    for row in review.definitions:
        assert row["definition"] == metrics()[row["metric"]][1]
        assert f"<dt>{row['metric']}</dt><dd>{row['definition']}</dd>" in html.unescape(page)
