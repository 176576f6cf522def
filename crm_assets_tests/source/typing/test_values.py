"""Values fit their column without loss, or are kept as text beside it; whole columns and single values alike."""

import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_assets.source.typing.columns import ARROW_TYPES, one_by_one, typed_array
from crm_assets.source.typing.values import DoesNotFit, as_text, fit

EAST = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("data_type", "given_value", "fitted"),
    [
        ("text", "plain", "plain"),
        ("text", 42, "42"),
        ("text", True, "true"),
        ("text", {"a": [1]}, '{"a":[1]}'),
        ("bigint", 1450348061427834880, 1450348061427834880),
        ("bigint", "12", 12),
        ("bigint", 5.0, 5),
        ("decimal", "7700.0", Decimal("7700.0")),
        ("decimal", 12, Decimal(12)),
        ("decimal", 0.1, Decimal("0.1")),
        ("decimal", "1e3", Decimal(1000)),
        ("bool", "true", True),
        ("timestamp", "2026-01-31T23:30:00+05:30", datetime(2026, 1, 31, 18, tzinfo=timezone.utc)),
        ("timestamp", "2026-01-31T23:30:00", datetime(2026, 1, 31, 23, 30, tzinfo=timezone.utc)),
        ("date", "2026-01-31", date(2026, 1, 31)),
        ("json", "a text", '"a text"'),
        ("json", 2**70, str(2**70)),
    ],
)
def test_a_value_fits_without_loss(data_type: str, given_value: Any, fitted: Any) -> None:
    assert fit(data_type, given_value) == fitted


@pytest.mark.parametrize(
    ("data_type", "given_value"),
    [
        ("bigint", 2**63),
        ("bigint", 5.5),
        ("bigint", True),
        ("bigint", "twelve"),
        ("bigint", 2.0**60),
        ("decimal", "NaN"),
        ("decimal", "Infinity"),
        ("decimal", "0.0000000001"),
        ("decimal", "1186149479174873414.999019073321"),
        ("decimal", "1" * 30),
        ("decimal", True),
        ("bool", 1),
        ("bool", "yes"),
        ("timestamp", 1700000000),
        ("timestamp", "2026-02-30T00:00:00Z"),
        ("timestamp", "soon"),
        ("date", "2026-02-30"),
        ("date", "2026-01-31T10:00:00Z"),
    ],
)
def test_what_would_lose_something_does_not_fit(data_type: str, given_value: Any) -> None:
    with pytest.raises(DoesNotFit):
        fit(data_type, given_value)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=5,
)
fitting_values = {
    "text": st.text(st.characters(codec="utf-8")),
    "bigint": st.integers(-(2**65), 2**65),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False).map(str) | st.integers(),
    "bool": st.booleans(),
    # Without the year 1, which an offset can turn into the year 0: Arrow has it, Python has not.
    "timestamp": st.datetimes(datetime.min.replace(year=2), timezones=st.sampled_from([timezone.utc, EAST])).map(  # noqa: DTZ901
        datetime.isoformat
    ),
    "date": st.dates().map(date.isoformat),
    "json": json_values,
}


@pytest.mark.parametrize("data_type", ARROW_TYPES)
@given(data=st.data())
def test_a_whole_column_holds_what_its_values_are_one_by_one(data_type: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(fitting_values[data_type] | st.none(), max_size=8))
    values += data.draw(st.lists(json_values, max_size=2))
    fitting, misfits = one_by_one(data_type, values)
    array, beside = typed_array(data_type, values)
    assert array.to_pylist() == fitting
    assert (beside.to_pylist() if beside is not None else [None] * len(values)) == misfits


def test_a_number_that_overflows_in_arrow_does_not_become_another() -> None:
    array, beside = typed_array("decimal", ["7.5", 3743106039873429137970549819721])
    assert array.to_pylist() == [Decimal("7.5"), None]
    assert beside is not None
    assert beside.to_pylist() == [None, "3743106039873429137970549819721"]


@pytest.mark.parametrize("data_type", ARROW_TYPES)
@given(value=json_values)
def test_nothing_is_lost(data_type: str, value: Any) -> None:
    [fitting], [misfit] = one_by_one(data_type, [value])
    assert (fitting is None and misfit is None) is (value is None)
    if misfit is not None:
        assert misfit == as_text(value)
        assert isinstance(value, str) or json.loads(misfit) == value
