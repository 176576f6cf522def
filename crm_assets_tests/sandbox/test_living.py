"""How the sandbox's records follow from seed and time."""

from datetime import timedelta

import pytest

from crm_assets_tests.sandbox.client import NOW, PATHS, Client, Row, client_of_sandbox, instant
from crm_assets_tests.sandbox.conftest import LIVING_ROWS, Clock


def versions(records: list[Row]) -> set[tuple[int, str]]:
    """Tell records and their changes apart."""
    return {(record["id"], record["updated_at"]) for record in records}


def test_the_same_seed_and_instant_give_the_same_bytes(crm: Client) -> None:
    with client_of_sandbox() as twin:
        for path in PATHS:
            assert twin.get(path, per_page=100).content == crm.get(path, per_page=100).content


def test_another_seed_gives_another_crm(crm: Client) -> None:
    with client_of_sandbox(rows=50, seed=7) as other:
        assert other.page("/v1/accounts")[0]["name"] != crm.page("/v1/accounts")[0]["name"]


def test_the_way_to_an_instant_does_not_matter(living_crm: Client, clock: Clock) -> None:
    for minutes in (-3000, 60, 0):
        clock.now = NOW + timedelta(minutes=minutes)
        passing = living_crm.get("/v1/contacts", per_page=100, sort="updated_at").content
    with client_of_sandbox(rows=LIVING_ROWS) as client:
        straight = client.get("/v1/contacts", per_page=100, sort="updated_at").content
    assert passing == straight


@pytest.mark.slow
def test_a_minute_changes_about_one_record_in_four_hundred(living_crm: Client, clock: Clock) -> None:
    minutes = 15
    changes = 0
    before = living_crm.read("/v1/contacts")
    for _ in range(minutes):
        clock.now += timedelta(minutes=1)
        after = living_crm.read("/v1/contacts")
        changes += len(versions(after) - versions(before))
        before = after
    assert 0.0015 < changes / minutes / len(before) < 0.004


@pytest.mark.parametrize("path", PATHS)
def test_records_vanish_and_as_many_appear(living_crm: Client, clock: Clock, path: str) -> None:
    before = {row["id"] for row in living_crm.read(path)}
    clock.now += timedelta(hours=3)
    after = {row["id"] for row in living_crm.read(path)}
    assert before - after
    assert len(before - after) == len(after - before)


def test_some_tasks_are_done_within_half_an_hour(living_crm: Client, clock: Clock) -> None:
    before = {row["id"] for row in living_crm.read("/v1/tasks")}
    clock.now += timedelta(minutes=30)
    assert 0 < len(before - {row["id"] for row in living_crm.read("/v1/tasks")}) < 15


def test_a_vanished_record_does_not_return(living_crm: Client, clock: Clock) -> None:
    seen: set[int] = set()
    gone: set[int] = set()
    for _ in range(4):
        current = {row["id"] for row in living_crm.read("/v1/tasks")}
        gone |= seen - current
        seen |= current
        assert not gone & current
        clock.now += timedelta(minutes=30)


def test_computed_fields_change_without_a_trace(living_crm: Client, clock: Clock) -> None:
    before = {row["id"]: row for row in living_crm.read("/v1/accounts")}
    clock.now += timedelta(hours=12)
    changed = {
        key
        for row in living_crm.read("/v1/accounts")
        for key, value in row.items()
        if row["id"] in before
        and row["updated_at"] == before[row["id"]]["updated_at"]
        and value != before[row["id"]][key]
    }
    assert changed == {"open_deals_count", "open_deals_amount"}


def test_most_records_have_not_changed_for_weeks(crm: Client) -> None:
    changes = crm.read("/v1/contacts", sort="updated_at", sort_type="desc")
    assert NOW - instant(changes[len(changes) // 2]["updated_at"]) > timedelta(weeks=3)


@pytest.mark.parametrize("rows", [0, 1, 77])
def test_the_five_lists_together_have_the_rows_asked_for(rows: int) -> None:
    with client_of_sandbox(rows=rows) as client:
        assert sum(client.get(path).json()["meta"]["total"] for path in PATHS) == rows
        assert sum(len(client.read(path)) for path in PATHS) == rows
