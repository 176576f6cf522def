"""Every field has a column of its own, and in every read the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_assets.source.typing.columns import column_names, snake_case

DECLARED = frozenset({"name", "amount"})
keys = st.lists(
    st.text() | st.text(alphabet="aA_b- ") | st.sampled_from(["Name", "_dlt_id", "fooBar", "amount__v_text"]),
    unique=True,
)


def test_a_name_that_is_free_is_taken_as_dlt_makes_it() -> None:
    assert column_names(["New-Object", "fooBar", "plain", "a__b"], DECLARED) == {
        "New-Object": "new_object",
        "fooBar": "foo_bar",
        "plain": "plain",
        "a__b": "a__b",
    }


def test_field_called_like_the_column_of_another_has_its_own() -> None:
    named = column_names(["Name"], DECLARED)["Name"]
    names = column_names(["Name", named], DECLARED)
    assert names["Name"] == named
    assert names[named] == column_names([named], DECLARED)[named] != named


@pytest.mark.parametrize("pair", [("Discount %", "Discount $"), ("名称 1", "地址 1"), ("a*", "a+"), ("?", "!")])
def test_fields_of_different_records_share_no_column(pair: tuple[str, str]) -> None:
    alone = {key: column_names([key], DECLARED)[key] for key in pair}
    assert alone == column_names(pair, DECLARED)
    assert len(set(alone.values())) == 2


@given(keys)
def test_no_two_fields_share_a_column(keys: list[str]) -> None:
    names = column_names(keys, DECLARED)
    assert set(names) == set(keys)
    assert len(set(names.values())) == len(keys)
    assert not DECLARED & set(names.values())
    assert not any(name.startswith("_dlt_") or name.endswith("__v_text") for name in names.values())


@given(keys)
def test_dlt_takes_the_names_as_they_are(keys: list[str]) -> None:
    names = column_names(keys, DECLARED).values()
    assert [snake_case(name) for name in names] == list(names)
