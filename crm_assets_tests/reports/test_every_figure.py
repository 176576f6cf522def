"""Each figure and each bar of the sales review, counted in Python from the marts."""

import csv
import html
import io
from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from crm_assets.assets.reports import tables_read
from crm_assets.reports.figures import Formats, read_figures
from crm_assets.reports.page import csv_text, render
from crm_assets.reports.tables import tables_of
from crm_assets.runner.unchanged import report_in
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.reckoning import half_up, months_later, quarter_of, share, total
from crm_assets_tests.models.test_metrics import metrics
from crm_assets_tests.reports import counted
from crm_assets_tests.reports.counted import APRIL, NAMES, TABLES
from crm_assets_tests.reports.drawn import figures
from crm_assets_tests.reports.invented import LISTS, Records, Reported, invented

ZONES = ["America/Los_Angeles", pytest.param("Pacific/Kiritimati", marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=ZONES)
def reported(request: pytest.FixtureRequest) -> Reported:
    made = invented(ZoneInfo(request.param))
    tables = RawTables(duckdb.connect())
    report_in(tables.connection, made.zone.key, APRIL)
    for resource in LISTS:
        records: Records = getattr(made, resource)
        tables.add_each(resource, **{name: [record[name] for record in records] for name in records[0]})
    for user, name in NAMES.items():
        tables.side_load("users", user, display_name=name)
    tables.set_targets(*made.targets)
    tables.log("accounts", "1700000000.5")
    tables.log("accounts", "1700000300.5", mode="incremental")
    tables.log("contacts", "1700000000.5", complete=False)
    tables.build(*tables_read())
    for days, accounts in {3: 1, 8: 17, 20: 2}.items():
        tables.connection.execute(
            "insert into marts.pipeline_health_daily select * replace (snapshot_date - $days as snapshot_date, "
            "taken_at - to_days($days) as taken_at, $accounts as accounts) from marts.pipeline_health_daily limit 1",
            {"days": days, "accounts": accounts},
        )
    [made.read_at] = tables.connection.execute("select started_at from raw.sync_log limit 1").fetchall()[0]
    made.review = read_figures(tables.connection)
    made.marts = {
        mart.removeprefix("marts."): tables.connection.execute(f"from {mart}").to_arrow_table().to_pylist()
        for mart in tables_read()
    }
    tables.connection.close()
    made.tables = tables_of(made.review)
    definitions = {name: definition for name, (_, definition) in metrics().items()}
    page = render(made.review, Formats(made.zone, "CHF"), definitions, "a test", "folder")
    made.figures, made.page = figures(page), html.unescape(page)
    return made


def written(kind: str, value: Any, zone: ZoneInfo) -> str:
    """A value as the page writes it."""
    if value is None:
        return {"text": "(no name)", "instant": "never"}.get(kind, "–")  # noqa: RUF001
    if kind in {"count", "amount"}:
        return f"{half_up(value):,}"
    if kind == "change":
        return f"{half_up(value):+,}" if half_up(value) else "no change"
    if kind == "share":
        return f"{half_up(value * 100):,}%"
    if kind == "instant":
        return f"{value.astimezone(zone):%-d %B %Y, %H:%M}"
    dates = {"day": "%-d %B %Y", "week": "%-d %b", "month": "%b %Y"}
    return str(value) if kind == "text" else f"{value:{dates[kind]}}"


@pytest.mark.long
@pytest.mark.parametrize("name", TABLES)
def test_table_has_the_figures_of_the_records(reported: Reported, name: str) -> None:
    table, expected = reported.tables[name], [*TABLES[name](reported)]
    columns = [column.name for column in table.columns]
    exact = [{column: row[column] for column in columns} for row in table.rows]
    for row in exact:
        row.update(
            {
                column.name: share(row[column.name], 1)
                for column in table.columns
                if column.kind == "share" and row[column.name] is not None
            }
        )
    assert exact == expected

    [header, *rows] = csv.reader(io.StringIO(csv_text(table).lstrip("\ufeff")))
    assert header == columns
    assert rows == [["" if value is None else plain(value) for value in row.values()] for row in expected]

    if name != "retention":
        assert reported.figures[table.title].rows == [
            [written(column.kind, row[column.name], reported.zone) for column in table.columns] for row in table.rows
        ]


def plain(value: Any) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


@pytest.mark.parametrize(
    ("name", "bar", "mark"),
    [
        ("months", "won_amount", "target_amount"),
        ("owners", "won_amount_this_year", "target_this_year"),
        ("types", "won_amount_12m", "won_amount_prior_12m"),
        ("meetings", "meetings", None),
    ],
)
def test_chart_shows_the_figures_of_its_table(reported: Reported, name: str, bar: str, mark: str | None) -> None:
    drawn, rows = reported.figures[reported.tables[name].title], [*TABLES[name](reported)]
    assert 5 <= len(drawn.ticks) <= 8
    top = max([float(row[bar]) for row in rows])
    bars = [float(row[bar]) for row in rows if row[bar]]
    assert [length for lengths in drawn.bars.values() for length in lengths] == pytest.approx(bars, abs=top / 1000)
    marks = [float(row[mark]) for row in rows if row[mark] is not None] if mark else []
    assert [*drawn.marks.values()] == pytest.approx(marks, abs=top / 1000)


def test_stacked_chart_shows_the_figures_of_its_table(reported: Reported) -> None:
    drawn = reported.figures["Open tasks by owner"]
    for row in counted.backlog(reported):
        owner, *counts = row.values()
        assert drawn.bars[owner] == pytest.approx([count for count in counts if count], abs=0.1)


def test_heat_map_shows_the_share_of_each_quarter(reported: Reported) -> None:
    cells = defaultdict[date, list[str]](list)
    for row in counted.retention(reported):
        cells[row["first_quarter"]].append(written("share", row["share_buying"], reported.zone))
    customers = {row["first_quarter"]: f"{row['customers']}" for row in counted.retention(reported)}
    expected = [
        [f"{first.year} Q{(first.month + 2) // 3}", customers[first], *shares[1:], *[""] * (8 - len(shares))]
        for first, shares in cells.items()
    ]
    assert reported.figures["Customers who bought again"].rows == expected


def money(amount: Decimal) -> str:
    return f"CHF\N{NO-BREAK SPACE}{half_up(amount):,}"


def percent(part: Decimal | int, whole: Decimal | int) -> str:
    return f"{half_up(100 * Decimal(part) / Decimal(whole)):,}%"


def test_first_lines_say_how_far_the_targets_are_reached(reported: Reported) -> None:
    month, year = counted.target(reported)
    since = counted.year_from(reported)
    for row, when in ((month, f"in {reported.today:%B %Y}"), (year, f"since {since:%-d %B %Y}")):
        ahead = f"{money(abs(row['ahead']))} {'ahead' if row['ahead'] >= 0 else 'behind'}"
        attained = percent(row["won_amount"], row["target_to_date"])
        assert f"{money(row['won_amount'])} was won {when}, {attained} of the target to date: {ahead}." in reported.page

    best, *others = counted.owners(reported)
    is_nobody = best["owner"] == "unassigned"
    most = "Most was won in deals without an owner" if is_nobody else f"{best['owner']} has won the most"
    assert (
        f"{most} this year: {money(best['won_amount_this_year'])} of "
        f"{money(year['won_amount'])}, {percent(best['won_amount_this_year'], year['won_amount'])}."
    ) in reported.page
    on_target = [row for row in (best, *others) if row["target_this_year"] is not None]
    reached = sum(row["won_amount_this_year"] >= row["target_this_year"] for row in on_target)
    assert f"On target to date: {reached} of {len(on_target)} owners with a target." in reported.page


def test_first_lines_say_which_customers_bring_how_much(reported: Reported) -> None:
    of_type = {row["revenue_type"]: row["won_amount_12m"] for row in counted.types(reported)}
    amount = total(of_type.values())
    shares = [percent(of_type[name], amount) for name in ("first", "repeat", "won back", "unknown")]
    assert (
        f"Of the {money(amount)} won in the last 12 months, {shares[0]} came from first deals, "
        f"{shares[1]} from repeat deals, {shares[2]} from customers won back, {shares[3]} from unknown accounts."
    ) in reported.page
    *_, last = counted.customers(reported)
    largest = written("share", last["cumulative_share_12m"], reported.zone)
    assert f"The 10 largest customers brought in {largest}." in reported.page

    quarter = months_later(quarter_of(reported.today), -3)
    rows = [row for row in reported.marts["customer_retention_quarterly"] if row["quarter"] == quarter]
    earlier = [row for row in rows if row["first_quarter"] < quarter]
    customers = sum(row["customers"] for row in earlier)
    again = percent(sum(row["customers_buying"] for row in earlier), customers)
    named = f"{quarter.year} Q{(quarter.month + 2) // 3}"
    assert f"{again} of the {customers} customers won before {named} bought again in that quarter." in reported.page


def test_first_lines_say_what_has_to_be_done(reported: Reported) -> None:
    paying = counted.paying(reported)
    silent = [row["won_amount"] for row in paying if row["last_activity_on"] and row["days_quiet"] > 90]
    unknown = [row["won_amount"] for row in paying if row["last_activity_on"] is None]
    for customers, silence in ((silent, "for more than 90 days."), (unknown, "on record.")):
        assert (
            f"{len(customers)} customers who brought in {money(total(customers))} had no contact {silence}"
            in reported.page
        )
    tasks = {row["figure"]: row["value"] for row in counted.week(reported)}
    assert f"{tasks['Overdue tasks']} of {tasks['Open tasks']} open tasks are overdue." in reported.page


def test_first_lines_say_what_is_wrong_with_the_data(reported: Reported) -> None:
    assert "Never read completely: contacts, won deals, open tasks, past appointments." in reported.page
    failing = [row for row in counted.quality(reported) if row["failing"]]
    worst = max((row for row in failing if row["amount_affected"]), key=lambda row: row["amount_affected"])
    assert (
        f"{len(failing)} of 12 data checks find something. The largest amount affected is "
        f"{money(worst['amount_affected'])}: {worst['check_name']}."
    ) in reported.page
