"""The ids of a read are counted as two sets would count them."""

from hypothesis import given
from hypothesis import strategies as st

from crm_assets.source.reading.steps import ReceivedIds

ids = st.integers(0, 12) | st.integers(-(2**63), 2**63 - 1)
pages = st.lists(st.tuples(st.lists(ids, max_size=6), st.booleans()), max_size=12)


@given(passes=st.lists(pages, min_size=1, max_size=3))
def test_ids_are_counted_as_by_sets(passes: list[list[tuple[list[int], bool]]]) -> None:
    received, known = ReceivedIds(), set[int]()
    for number, taken in enumerate(passes, start=1):
        of_pass = set[int]()
        for page, is_read_again in taken:
            new = set() if is_read_again else set(page) - of_pass
            counted = received.add(page, 0 if is_read_again else number)
            known |= set(page)
            of_pass |= new
            assert received.total == len(known)
            assert is_read_again or counted == len(new)
