"""Reads of simulated lists: any totals, any changes while they are read, any order of answers.

What cannot be noticed, since no answer shows it, is in `unnoticeable`, and in docs/architecture.md.
"""

from itertools import combinations
from random import Random
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from crm_assets.errors import BadAnswer
from crm_assets_tests.source.reading.simulated_list import ENDS, TOTALS, Change, SimulatedList, SimulatedRead, read_list

pytestmark = pytest.mark.timeout(3600)
"""Ten thousand reads of the long profile take some minutes."""

FULL = 5
COUNTING = ("right", "of two replicas")

sizes = st.just((FULL,)) | st.lists(st.integers(1, FULL), min_size=1, max_size=4).map(lambda sizes: (*sizes, FULL))


def changes(*, most: int, records: Any) -> Any:
    """Changes before arbitrary requests, at arbitrary shares of the list."""
    one = st.builds(Change, request=st.integers(2, 60), share=st.floats(0, 1), records=records)
    return st.lists(one, max_size=most, unique_by=lambda change: change.request)


def lists(**arguments: Any) -> Any:
    """Lists of up to twenty pages."""
    usual: dict[str, Any] = {
        "rows": st.integers(0, 100),
        "page_sizes": sizes,
        "in_flight": st.integers(1, 16),
        "chance": st.integers(0, 1000).map(Random),
    }
    return st.builds(SimulatedList, **usual | arguments)


added, removed = st.integers(1, 12), st.integers(-12, -1)
any_change = changes(most=12, records=added | removed)


def requests_at_most(reading: SimulatedRead) -> int:
    """Fewer than three for a page, or four more than twice; and those that were in flight when the read ended."""
    pages = reading.listed.most_pages + (reading.listed.end == "last page repeated")  # it may have changed meanwhile
    return max(3 * pages - 1, 2 * pages + 4) + reading.listed.in_flight - 1


def unnoticeable(listed: SimulatedList) -> bool:
    """Whether no answer shows that records moved."""
    if listed.removed and listed.totals not in COUNTING:
        return True  # nothing counts them
    if listed.changes and listed.totals == "of two replicas":
        return True  # an answer of the other replica is a change, too, and cancels out with one of the list
    if is_overtaken(listed):
        return True
    return any(
        one.added != other.added and one.removed != other.removed
        for one in listed.answered
        for other in listed.answered
        if abs(one.page - other.page) == 1
    )


def is_overtaken(listed: SimulatedList) -> bool:
    """Whether a page was answered before one ahead of it, records were inserted between, and no total shows it.

    A page of new records can then come in place of records that moved behind what was read.
    """
    return listed.totals not in COUNTING and any(
        0 < first.page - then.page < listed.in_flight and first.added < then.added
        for first, then in combinations(listed.answered, 2)
    )


def is_misled(listed: SimulatedList) -> bool:
    """Whether the API says of a part of the list that it is all.

    A total that is too low is reached by a page that is short; page 1 is sent for all pages and counted alone; or pages
    after a short one are refused.
    """
    if listed.end == "refused":
        return listed.totals not in COUNTING and min(listed.page_sizes) < max(listed.page_sizes)
    if listed.end == "page ignored":
        return listed.totals in {"of the page", "so far", "capped"}
    ends = [listed.start(page + 1) for page in range(1, listed.most_pages + 1)]
    lowest, highest = listed.cap - listed.removed, listed.cap + listed.added
    return listed.totals == "capped" and any(lowest <= end <= highest for end in ends)


@given(lists(totals=st.sampled_from(TOTALS), end=st.sampled_from(ENDS), cap=st.integers(1, 40), changes=any_change))
def test_a_read_says_that_it_is_complete_only_if_it_has_all(listed: SimulatedList) -> None:
    try:
        reading = read_list(listed)
    except BadAnswer:
        assert listed.end == "page ignored" or listed.rows <= FULL
        reading = SimulatedRead(listed)
    event(f"complete: {reading.complete}")
    is_still = not listed.changes and listed.totals != "of two replicas"
    if is_still or listed.end in {"empty", "refused"}:
        assert len(listed.answered) <= requests_at_most(reading)
    if reading.complete and not is_misled(listed):
        assert not reading.missed or unnoticeable(listed)


@given(lists(totals=st.sampled_from(TOTALS), end=st.sampled_from(ENDS), cap=st.integers(1, 40)))
def test_complete_read_of_an_unchanged_list_is_that_list(listed: SimulatedList) -> None:
    try:
        reading = read_list(listed)
    except BadAnswer:
        assert listed.end == "page ignored" or listed.rows <= FULL
        return
    if reading.complete and not is_misled(listed):
        assert listed.always <= reading.ids <= set(listed.ids)


@given(lists(totals=st.sampled_from(TOTALS), end=st.just("empty"), cap=st.integers(1, 40)))
def test_a_list_that_does_not_change_is_read_completely(listed: SimulatedList) -> None:
    reading = read_list(listed)
    if listed.totals != "of two replicas":
        assert reading.complete
        assert reading.ids == set(listed.ids) or is_misled(listed)


shrinking = {"page_sizes": st.just((FULL,))}


@given(lists(changes=changes(most=4, records=st.integers(-3, -1)), **shrinking))
def test_a_list_that_shrinks_loses_nothing_that_stays(listed: SimulatedList) -> None:
    assert not read_list(listed).missed


@given(lists(changes=changes(most=20, records=st.integers(-3, -1)), **shrinking))
def test_a_list_that_shrinks_too_fast_is_said_to_be_incomplete(listed: SimulatedList) -> None:
    reading = read_list(listed)
    assert not reading.missed or not reading.complete


@given(lists(totals=st.sampled_from(TOTALS[:-1]), cap=st.integers(1, 40), changes=changes(most=20, records=added)))
def test_a_list_that_grows_is_read_completely_or_said_not_to_be(listed: SimulatedList) -> None:
    reading = read_list(listed)
    assert not reading.missed or not reading.complete or is_misled(listed) or is_overtaken(listed)


@pytest.mark.parametrize("in_flight", [1, 8])
def test_two_replicas_in_turn_are_read_without_loss(in_flight: int) -> None:
    listed = SimulatedList(5000, (50,), totals="of two replicas", in_flight=in_flight, chance=Random(1))  # noqa: S311
    reading = read_list(listed)
    assert not reading.missed
    assert len(listed.answered) < 3 * 100
