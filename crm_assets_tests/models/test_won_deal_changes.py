"""marts.won_deal_changes: what is added to the sum of won deals, and what is taken from it."""

from collections.abc import Sequence
from itertools import product

import pytest

from crm_assets_tests.models.raw_tables import FIRST, RawTables, failing

CHANGES, HISTORY = "marts.won_deal_changes", "snapshots.won_deals_history"

State = tuple[str, int | None]
"""Where a deal is, and its amount."""

STATES: Sequence[State] = [("won", 100), ("won", 130), ("won", None), ("bin", 100), ("bin", 130), ("gone", None)]
LEFT = {"gone": "reopened", "bin": "deleted"}
BACK = {"gone": "won again", "bin": "restored"}


@pytest.mark.long
def test_changes_are_those_of_each_deals_states(crm: RawTables) -> None:
    """Deals that go through all orders of four states."""
    histories = list(product(STATES, repeat=4))
    for build in range(4):
        show(crm, [history[build] for history in histories])
        crm.build(HISTORY)

    expected = [(deal, *change) for deal, history in enumerate(histories) for change in changes(history)]
    assert crm.rows(CHANGES, "deal_id", "version", "change", "amount_change") == expected
    assert amounts(crm) == sum(history[-1][1] or 0 for history in histories if history[-1][0] == "won")
    assert failing(crm, CHANGES, "won_deal_changes_add_up") == 0


def test_a_history_from_before_the_bin_was_recorded_goes_on(crm: RawTables) -> None:
    crm.add("won_deals", 1, amount=100)
    crm.add("won_deals", 2, amount=30, is_deleted=True)
    crm.build(HISTORY)
    crm.connection.execute(f"alter table {HISTORY} drop column is_deleted; delete from {HISTORY} where deal_id = 2")
    before = crm.rows(CHANGES, "deal_id", "change")

    assert crm.rows(CHANGES, "deal_id", "change") == before == [(1, "first seen")]
    assert crm.rows(HISTORY, "deal_id", "is_deleted") == [(1, None), (2, True)]


def show(crm: RawTables, deals: Sequence[State]) -> None:
    """Makes deals 0, 1, 2 … the ones that the CRM lists."""
    listed = [(deal, amount, where == "bin") for deal, (where, amount) in enumerate(deals) if where != "gone"]
    ids, amounts, deleted = (list(column) for column in zip(*listed, strict=True)) if listed else ([], [], [])
    crm.connection.execute("delete from raw.won_deals")
    crm.connection.execute(
        "insert into raw.won_deals (_dlt_load_id, id, amount, is_deleted) "
        "select ?, unnest(?::bigint[]), unnest(?::int[]), unnest(?::boolean[])",
        [FIRST, ids, amounts, deleted],
    )


def changes(history: Sequence[State]) -> list[tuple[int, str, int | None]]:
    """Version, kind and amount of each change of a won deal, in plain Python."""
    rows: list[tuple[int, str, int | None]] = []
    left = ""
    before: State = ("", None)
    for where, amount in history:
        is_won, was_won = where == "won", before[0] == "won"
        if is_won and not rows:
            rows.append((1, "first seen", None))
        elif is_won and not was_won:
            rows.append((len(rows) + 1, BACK[left], amount or 0))
        elif was_won and not is_won:
            left = where
            rows.append((len(rows) + 1, LEFT[where], -(before[1] or 0)))
        elif is_won and amount != before[1]:
            rows.append((len(rows) + 1, "amount", (amount or 0) - (before[1] or 0)))
        before = (where, amount)
    return rows


def amounts(crm: RawTables) -> int:
    """The amounts at first and all changes since."""
    first, since = "sum(won_amount) filter (where version = 1)", "sum(amount_change)"
    [(total,)] = crm.rows(CHANGES, f"coalesce({first}, 0) + coalesce({since}, 0)")
    return int(total)
