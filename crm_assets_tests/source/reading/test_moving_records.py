"""Lists that change while they are read: records listed from the first request to the last are in the result.

`test_simulation.py` has any changes at any time. Here a few go through real requests.
"""

from collections.abc import Iterator
from random import Random

import pytest

from crm_assets_tests.scripted_crm import ScriptedCrm, configured_crm, once_before, tasks
from crm_assets_tests.source.source_reads import read

ROWS = 230


@pytest.fixture(params=["1", "8"], ids=["one-at-a-time", "ahead"])
def crm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedCrm]:
    monkeypatch.setenv("SOURCES__CRM__MAX_IN_FLIGHT", request.param)
    with configured_crm(lists={"open_tasks": tasks(ROWS)}) as crm:
        yield crm


@pytest.mark.slow
@pytest.mark.parametrize("page", [2, 5])
@pytest.mark.parametrize("removed", [1, 60])
def test_records_removed_from_read_pages_lose_no_others(crm: ScriptedCrm, page: int, removed: int) -> None:
    records = crm.lists["open_tasks"]

    def remove() -> None:
        del records[:removed]

    crm.before_page = once_before(page, remove)
    reading = read()
    assert set(reading.ids) >= set(range(removed + 1, ROWS + 1))
    assert reading.report.rows_in_source == ROWS - removed
    assert len(crm.seen) < 40


def test_a_record_moved_to_a_later_page_takes_none_with_it(crm: ScriptedCrm) -> None:
    crm.with_meta = False
    records = crm.lists["open_tasks"]
    crm.before_page = once_before(3, lambda: records.insert(180, records.pop(0)))
    reading = read()
    assert set(reading.ids) == set(range(1, ROWS + 1))
    assert reading.report.complete


def test_a_record_that_changes_places_with_the_last_one_is_missed_by_none(crm: ScriptedCrm) -> None:
    crm.with_meta = False
    records = crm.lists["open_tasks"] = tasks(101)

    def swap() -> None:
        records[3], records[100] = records[100], records[3]

    crm.before_page = once_before(3, swap)
    reading = read()
    assert set(reading.ids) == set(range(1, 102))
    assert reading.report.complete


@pytest.mark.usefixtures("_in_turn")
def test_a_record_listed_twice_on_its_page_has_not_moved() -> None:
    twice = [task for task in tasks(50) for _ in range(2)]
    with configured_crm(lists={"open_tasks": twice}, with_meta=False) as crm:
        reading = read()
    assert crm.pages("open_tasks") == [1, 2, 3, 4]
    assert reading.report.complete


def test_an_order_that_never_stays_is_incomplete(crm: ScriptedCrm) -> None:
    crm.with_meta = False
    chance = Random(1)  # noqa: S311
    crm.before_page = lambda _: chance.shuffle(crm.lists["open_tasks"])
    reading = read()
    assert len(set(reading.ids)) < ROWS
    assert reading.report.incomplete_because == "records were added or moved while the list was read"
