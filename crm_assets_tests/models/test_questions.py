"""The questions of docs/questions.md: the answers on the sandbox's records are those of a count in plain Python."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from crm_assets_tests.models.raw_tables import FIRST, RawTables
from crm_assets_tests.models.reckoning import Record, grouped, share, total
from crm_assets_tests.models.sandbox_states import READS, comparable

PAGE = (Path(__file__).parents[2] / "docs" / "questions.md").read_text("utf-8")
QUERIES = dict(re.findall(r"^## (.*?)\n\n```sql\n(.*?)```\n\n\w", PAGE, re.DOTALL | re.MULTILINE))

Marts = dict[str, list[Record]]


def sold(marts: Marts) -> Iterator[Record]:
    deals = marts["won_deal_overview"]
    for (product, industry), group in grouped(deals, "product", "industry_name").items():
        amount = total(deal["won_amount"] for deal in group)
        yield {
            "product": product,
            "industry_name": industry,
            "won_deals": len(group),
            "won_amount": amount,
            "share": share(amount, total(deal["won_amount"] for deal in deals)),
        }


def retained(marts: Marts) -> Iterator[Record]:
    complete = [row for row in marts["customer_retention_quarterly"] if row["is_complete"]]
    for quarter, rows in grouped(complete, "first_quarter").items():
        shares = {row["quarters_since"]: row["share_buying"] for row in rows}
        after = {f"after_{since}_quarter{'s' * (since > 1)}": shares.get(since) for since in (1, 2, 3, 4)}
        yield {"first_quarter": quarter, "customers": rows[0]["customers"], **after}


def changed(marts: Marts) -> Iterator[Record]:
    known = [row for row in marts["customer_value"] if row["account_id"]]
    best = max(known, key=lambda row: row["won_amount"])["account_id"]
    for row in marts["account_ownership"]:
        if row["account_id"] == best:
            yield {**row, "seen_at": row["owned_from"], "change": "owner", "deal_id": None, "won_amount": None}
    for row in marts["won_deal_changes"]:
        if row["account_id"] == best:
            yield {**row, "change": f"deal: {row['change']}"}


def differing(marts: Marts) -> Iterator[Record]:
    derived = {"amounts_not_converted": 0, "dates_derived": 0}  # the sandbox sends all that it can
    for row in marts["account_overview"]:
        amounts = row["won_amount"], row["crm_won_deals_amount"]
        if None not in amounts and amounts[0] != amounts[1]:
            yield {**row, **derived, "difference": Decimal(amounts[0] - amounts[1])}


def this_year(marts: Marts) -> Iterator[Record]:
    month = marts["pipeline_health_daily"][-1]["snapshot_date"].replace(day=1)
    return (row for row in marts["owner_month"] if row["month"] == month)


ANSWERS: dict[str, Callable[[Marts], Any]] = {
    "Which customers have we lost?": lambda marts: (
        row for row in marts["customer_value"] if row["status"] == "lapsed"
    ),
    "Who is on target this fiscal year?": this_year,
    "Which pipeline waits for an overdue task?": lambda marts: (
        row for row in marts["account_overview"] if row["overdue_tasks"] and row["crm_open_deals"]
    ),
    "What do we sell, and to whom?": sold,
    "Which customers have gone quiet?": lambda marts: (
        row for row in marts["account_overview"] if (row["days_quiet"] or 0) > 90 and row["won_amount"]
    ),
    "Do new customers come back?": retained,
    "What has changed for a customer?": changed,
    "What has vanished from the CRM?": lambda marts: (
        {**row, "last_seen_at": READS[FIRST]} for row in marts["won_deal_changes"] if row["change"] == "reopened"
    ),
    "Which figures can we not trust?": lambda marts: (row for row in marts["data_quality"] if row["failing"]),
    "Why does a figure differ from the CRM's?": differing,
}
"""Question -> its answer, from marts that were counted in plain Python."""


def test_the_page_has_ten_questions() -> None:
    assert [*QUERIES] == [*ANSWERS]
    assert len(QUERIES) == PAGE.count("\n## ") == 10


@pytest.mark.long
@pytest.mark.file
@pytest.mark.parametrize("question", ANSWERS)
def test_a_query_answers_its_question(
    built: tuple[duckdb.DuckDBPyConnection, dict[str, list[Record]]], question: str
) -> None:
    connection, marts = built
    found = connection.execute(QUERIES[question]).fetch_arrow_table().to_pylist()
    found = [row for row in found if row.get("check_name") != "fields that are not declared"]
    expected = [{column: row[column] for column in found[0]} for row in ANSWERS[question](marts)]
    assert sorted(map(comparable, found)) == sorted(map(comparable, expected))


@pytest.mark.slow
def test_a_share_of_nothing_is_null(crm: RawTables) -> None:
    crm.add("won_deals", 1, amount=0)
    crm.build("marts.won_deal_overview")

    [row] = crm.connection.execute(QUERIES["What do we sell, and to whom?"]).fetchall()
    assert row[-1] is None
