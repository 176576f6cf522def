"""marts.task_backlog: one row an owner of open tasks."""

import json
from decimal import Decimal

from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.times import ago

BACKLOG = "marts.task_backlog"


def test_share_of_overdue_tasks_is_rounded_half_up(crm: RawTables) -> None:
    crm.add_each("open_tasks", owner_id=[7] * 800, due_date=[ago(days=2)] * 57 + [None] * 743)

    assert crm.row(BACKLOG, "overdue_share") == (Decimal("0.0713"),)


def test_tasks_without_any_date_are_overdue_by_no_number(crm: RawTables) -> None:
    crm.add("open_tasks", 1, owner_id=7)

    assert crm.row(BACKLOG, "overdue_tasks", "days_overdue_at_most") == (0, None)


def test_tasks_that_are_done_do_not_count(crm: RawTables) -> None:
    crm.add("open_tasks", 1, status=1)

    assert crm.rows(BACKLOG, "owner") == []


def test_tasks_that_nobody_owns_have_a_row(crm: RawTables) -> None:
    for task, account in enumerate([1, 1, 2]):
        crm.add("open_tasks", task, targetables=json.dumps([{"type": "SalesAccount", "id": account}]))

    assert crm.row(BACKLOG, "owner", "owner_id", "open_tasks", "accounts") == ("unassigned", None, 3, 2)
