"""The page of the sales review: complete in itself, readable for everyone, and right whatever the CRM holds."""

import html
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from crm_assets.reports.figures import NOT_KNOWN, Formats, read_figures
from crm_assets.reports.tables import HEADLINE, tables_of
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.test_metrics import metrics
from crm_assets_tests.models.times import ago
from crm_assets_tests.reports.drawn import drawn, page_of, reviewed, today
from crm_assets_tests.reports.invented import HOSTILE

pytestmark = pytest.mark.slow


@pytest.mark.long
def test_page_needs_no_script_and_only_links_to_its_csv_files(busy: RawTables) -> None:
    page = page_of(reviewed(busy))

    assert "<script" not in page
    assert not re.search(r"https?://|src=|url\(|@import", page)
    links = re.findall(r'href="([^#"][^"]*)"', page)
    assert links == [f"sales_review/{name}.csv" for name in tables_of(reviewed(busy))]


def test_names_from_the_crm_are_text(busy: RawTables) -> None:
    _, found = drawn(busy)

    for title in ("The largest customers of the last 12 months", "Quiet customers, by won amount"):
        assert [row[0] for row in found[title].rows] == [name.strip("\u202e") or "(no name)" for name in HOSTILE]


def test_a_day_before_the_year_1_is_shown(crm: RawTables) -> None:
    crm.add("accounts", 1, name="Acme", last_contacted="0001-12-31 (BC) 19:00:00+00")
    crm.add("won_deals", 1, amount=50, closed_date=today(), sales_account_id=1)

    _, found = drawn(crm)
    assert found["Quiet customers, by won amount"].rows[0][3] == "0001-12-31 (BC)"


def test_names_do_not_turn_a_sentence_around(crm: RawTables) -> None:
    crm.side_load("users", 1, display_name="\u202eAnn\u2069 \u009b31m\nBell")
    crm.add("won_deals", 1, amount=50, closed_date=today(), owner_id=1)

    page, _ = drawn(crm)
    assert "Ann  31m Bell has won the most this year: 50 of 50" in page


@pytest.mark.long
@pytest.mark.parametrize(
    ("currency", "shown"), [(None, "1,235"), ("EUR", "€1,235"), ("CHF", "CHF\N{NO-BREAK SPACE}1,235")]
)
def test_amounts_are_in_the_currency_and_rounded_half_up(crm: RawTables, currency: str | None, shown: str) -> None:
    crm.add("won_deals", 1, amount="1234.5", closed_date=today(), owner_id=1)

    page = html.unescape(page_of(reviewed(crm), currency))
    assert f"{shown} was won in {today():%B %Y}; no target is set." in page
    assert f"Amounts are in {currency or 'the company' + chr(39) + 's currency'}." in page


def test_huge_amounts_are_exact(crm: RawTables) -> None:
    amount = Decimal(876543210987654321098)
    crm.add("accounts", 1, name="Acme")
    for deal in (1, 2):
        crm.add("won_deals", deal, amount=amount, closed_date=today(), owner_id=1, sales_account_id=1)

    page, found = drawn(crm)
    assert f"{2 * amount:,} was won in {today():%B %Y}; no target is set." in page
    chart = found["Won by month, against target"]
    assert chart.ticks[-1] == "2e+21"
    assert len(chart.ticks) == 5


MISSING = "19,950 has to be won by {last_of_month:%-d %B %Y} to reach the month's target of 20,000."
UNOWNED = "Most was won in deals without an owner this year: 100 of 150, 67%."


@pytest.mark.parametrize(
    ("deals", "target", "said"),
    [
        ([(50, 1)], 20_000, MISSING),
        ([(50, 1), (30, 2)], 20_000, "Owners without a target won 30 of the 80."),
        ([(50, None), (50, None), (50, 7)], None, UNOWNED),
    ],
    ids=["missing to the target", "owners without a target", "deals without an owner"],
)
def test_answer_says(deals: list[tuple[int, int | None]], target: int | None, said: str, crm: RawTables) -> None:
    for number, (amount, owner) in enumerate(deals):
        crm.add("won_deals", number, amount=amount, closed_date=today(), owner_id=owner)
    if target:
        crm.set_targets((today().replace(day=1), 1, target))

    page, _ = drawn(crm)
    last_of_month = (today().replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    assert said.format(last_of_month=last_of_month) in page


def test_less_than_half_a_unit_is_not_said(crm: RawTables) -> None:
    for owner, amount in ((1, "99.2"), (2, "0.4")):
        crm.add("won_deals", owner, amount=Decimal(amount), closed_date=today(), owner_id=owner)
    crm.set_targets((today().replace(day=1), 1, 100))

    page, _ = drawn(crm)
    assert "has to be won" not in page
    assert "Owners without a target" not in page


@pytest.mark.long
@pytest.mark.parametrize(("amount", "said"), [(100, "none of the target of 100 is due yet."), (0, "the target is 0.")])
def test_target_of_which_nothing_is_due_is_said(crm: RawTables, amount: int, said: str) -> None:
    month = today().replace(day=1) if not amount else (today().replace(day=1) + timedelta(days=32)).replace(day=1)
    crm.set_targets((month, 1, amount))

    review = reviewed(crm)
    page, _ = drawn(crm)
    [this_month, this_year] = review["target"]
    assert (this_month["owners_with_target"], this_year["owners_with_target"]) == (0, 0)
    is_this_year = this_year["target_amount"] is not None  # in December the next month is of another year
    assert (f"0 was won since 1 January {today().year}; {said}" in page) == is_this_year
    assert "Nothing was won yet" not in page


@pytest.mark.long
@pytest.mark.parametrize(
    ("amounts", "who", "from_whom"),
    [
        ((-100, 40), "Owner 2 has won the most this year: 40.", "-60 was won in the last 12 months."),
        ((-40, 40), "Owner 2 has won the most this year: 40.", "Nothing was won in the last 12 months."),
        ((-40, -50), "Nobody has won anything this year.", "-90 was won in the last 12 months."),
    ],
)
def test_shares_are_those_of_a_positive_sum(crm: RawTables, amounts: tuple[int, int], who: str, from_whom: str) -> None:
    for owner, amount in enumerate(amounts, 1):
        crm.add("won_deals", owner, amount=amount, closed_date=today(), owner_id=owner)

    page, found = drawn(crm)
    assert who in page
    assert from_whom in page
    assert {row[2] for row in found["Won in the last 12 months by revenue type"].rows} == {NOT_KNOWN}


@pytest.mark.parametrize("amount", ["-0.4", "0.4", "0"])
def test_amount_that_rounds_to_nothing_has_no_sign(amount: str) -> None:
    formats = Formats(ZoneInfo("UTC"), None)

    assert [formats.amount(Decimal(amount)), formats.share(Decimal(amount) / 100)] == ["0", "0%"]


def test_a_user_called_unassigned_is_a_user(crm: RawTables) -> None:
    crm.side_load("users", 7, display_name="unassigned")
    crm.add("won_deals", 1, amount=50, closed_date=today(), owner_id=7)

    page, _ = drawn(crm)
    assert "unassigned has won the most this year: 50 of 50, 100%." in page


def test_a_number_can_be_the_name_of_a_user(crm: RawTables) -> None:
    crm.side_load("users", 1, display_name="7")
    crm.add("won_deals", 1, amount=50, closed_date=today(), owner_id=1)

    page, _ = drawn(crm)
    assert "7 has won the most this year" in page
    assert "Owner 7" not in page


def test_a_single_customer_is_the_largest_one(crm: RawTables) -> None:
    crm.add("accounts", 1)
    crm.add("won_deals", 1, amount=50, closed_date=today(), sales_account_id=1)

    page, _ = drawn(crm)
    assert "The largest customer brought in 100%." in page


def test_the_largest_amount_affected_may_be_negative(crm: RawTables) -> None:
    crm.add("accounts", 1, owner_id=1)
    crm.add("won_deals", 1, amount=50, closed_date=today())
    crm.add("won_deals", 2, amount=-900, closed_date=today(), sales_account_id=1)
    crm.add("contacts", 1, sales_account_id=2)

    page, _ = drawn(crm)
    assert "The largest amount affected is -900: accounts without a contact." in page


def test_customers_never_contacted_are_counted_and_not_listed(crm: RawTables) -> None:
    for account, contacted in {1: None, 2: ago(days=100), 3: ago(days=200), 4: ago(days=2)}.items():
        crm.add("accounts", account, name=f"Customer {account}", created_at=ago(days=900), last_contacted=contacted)
        crm.add("won_deals", account, amount=100 * account, closed_date=today(), sales_account_id=account)
    crm.add("accounts", 5, name="Never bought", last_contacted=ago(days=500))

    page, found = drawn(crm)
    assert [row[0] for row in found["Quiet customers, by won amount"].rows] == ["Customer 3", "Customer 2"]
    assert "1 customer who brought in 100 had no contact on record." in page


@pytest.mark.parametrize("account", [None, 2], ids=["no account", "an account that is not listed"])
def test_customers_of_deals_without_listed_accounts_are_unknown(crm: RawTables, account: int | None) -> None:
    crm.add("accounts", 1, last_contacted=ago(days=100))
    crm.add("won_deals", 1, amount=50, closed_date=today(), sales_account_id=account)

    page, _ = drawn(crm)
    assert page.count("Which customers are quiet is not known: no won deal names a listed account.") == 2
    assert "No customer was without contact" not in page
    assert "Nobody has bought" not in page


def test_the_day_before_the_changes_is_named(crm: RawTables) -> None:
    reviewed(crm)
    crm.connection.execute(
        "insert into marts.pipeline_health_daily select * replace (date '2026-02-03' as snapshot_date, "
        "timestamptz '2026-02-03 06:00:00Z' as taken_at) from marts.pipeline_health_daily"
    )

    assert "Changes since 3 February 2026." in page_of(read_figures(crm.connection))


def test_a_single_task_is_not_overdue(crm: RawTables) -> None:
    crm.add("open_tasks", 1, due_date=datetime.now(timezone.utc) + timedelta(days=1))

    assert "0 of 1 open task is overdue." in page_of(reviewed(crm))


def test_a_single_check_finds_something(crm: RawTables) -> None:
    page, _ = drawn(crm)

    # Columns of these raw tables have no comments, as undeclared ones have none.
    assert "1 of 12 data checks finds something." in page


def test_owners_without_a_month_of_today_have_a_page(busy: RawTables) -> None:
    assert "Nobody has won anything this year." in page_of({**reviewed(busy), "target": []})


def test_an_empty_crm_has_a_page_that_says_so(crm: RawTables) -> None:
    page, _ = drawn(crm)

    for sentence in (
        "Nothing was won yet, and no target is set.",
        "Nobody has won anything this year.",
        "Nothing was won in the last 12 months.",
        "No customer was without contact for more than 90 days. No task is open.",
        "No won deal names a listed account.",
        "Never read completely: accounts, contacts, won deals, open tasks, past appointments.",
    ):
        assert sentence in page


def test_ten_thousand_owners_fit_on_it(crm: RawTables) -> None:
    crm.connection.execute(
        "insert into raw.open_tasks (id, owner_id, _dlt_load_id) select range, range, '1700000000.5' from range(10000)"
    )

    page, found = drawn(crm)
    assert found["Open tasks by owner"].rows[-1][0] == "9,988 other owners"
    assert len(page) < 200_000


def test_each_metric_is_defined_as_in_the_documentation(busy: RawTables) -> None:
    review = reviewed(busy)
    page = html.unescape(page_of(review))

    defined = dict(re.findall(r'<dt id="[^"]*">([^<]*)</dt><dd>([^<]*)</dd>', page))
    used = {column.metric for table in tables_of(review).values() for column in table.columns if column.metric}
    assert defined == {name: metrics()[name][1] for name in used | {*HEADLINE.values()}}
    for name, definition in defined.items():
        link = f'href="#{name.lower().replace(" ", "-")}" title="{definition}"'
        assert link in page, "numbers have their definition at hand"
