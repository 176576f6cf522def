"""Values fit their column without loss, or are kept as text in the variant column; columns and single values alike."""

import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_assets.source.typing import columns
from crm_assets.source.typing.columns import TYPES, as_text, narrowest_type, typed_column
from crm_assets.source.typing.texts import instants

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
        ("double", 0.1, 0.1),
        ("double", 2**53, 2.0**53),
        ("double", "0.5", 0.5),
        ("bool", "true", True),
        ("timestamp", "2026-01-31T23:30:00+05:30", datetime(2026, 1, 31, 18, tzinfo=timezone.utc)),
        ("timestamp", "2026-01-31T23:30:00", datetime(2026, 1, 31, 23, 30, tzinfo=timezone.utc)),
        ("date", "2026-01-31", date(2026, 1, 31)),
        ("json", "a text", '"a text"'),
        ("json", 2**70, str(2**70)),
    ],
)
def test_a_value_fits_without_loss(data_type: str, given_value: Any, fitted: Any) -> None:
    array, variants = typed_column(data_type, [given_value])
    assert (array.to_pylist(), variants) == ([fitted], None)


@pytest.mark.parametrize(
    ("data_type", "given_value"),
    [
        *(("bigint", value) for value in (2**63, 5.5, True, 2.0**60, [7], {"n": 7})),
        *(("bigint", text) for text in ("twelve", "007", "+7", "7_0", "-0", " 7", "7 ", "7.0", "1e1", "\u0663", "")),
        *(("double", value) for value in (2**53 + 1, -(2**53) - 1, 2**70, True, [0.5], {"n": 1})),
        *(("double", text) for text in ("1e5", "0.50", ".5", "5e-1", "+0.5", "0_1.5", "1,5", "nan", "")),
        *(("decimal", text) for text in ("007", "+7", "NaN", "Infinity", "0.0000000001", "1" * 30)),
        *(("decimal", value) for value in ("1186149479174873414.999019073321", True)),
        *(("bool", value) for value in (1, 2, 0, 0.0, [True], {"active": True})),
        *(("bool", text) for text in ("yes", "no", "True", "TRUE", "t", "1", "true ", "")),
        ("timestamp", 1700000000),
        ("timestamp", "2026-02-30T00:00:00Z"),
        ("timestamp", "soon"),
        ("timestamp", "0001-01-01T00:00:00+05:30"),
        ("timestamp", "9999-12-31T23:59:59-05:00"),
        ("date", "2026-02-30"),
        ("date", "0000-01-01"),
        ("date", "2026-01-31T10:00:00Z"),
    ],
)
def test_a_value_that_would_lose_something_does_not_fit(data_type: str, given_value: Any) -> None:
    array, variants = typed_column(data_type, [given_value])
    assert variants is not None
    assert (array.to_pylist(), variants.to_pylist()) == ([None], [as_text(given_value)])


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
    "double": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**54), 2**54),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False).map(str) | st.integers(),
    "bool": st.booleans(),
    "timestamp": st.datetimes(timezones=st.sampled_from([timezone.utc, EAST])).map(datetime.isoformat),
    "date": st.dates().map(date.isoformat),
    "json": json_values,
}


def one_by_one(data_type: str, values: list[Any]) -> tuple[list[Any], list[str | None]]:
    """The values that fit, and the texts of those that do not; None in the place of the other."""
    columns = [typed_column(data_type, [value]) for value in values]
    misfits = [variant.to_pylist()[0] if variant is not None else None for _, variant in columns]
    return [fitting.to_pylist()[0] for fitting, _ in columns], misfits


@pytest.mark.slow
@pytest.mark.parametrize("data_type", TYPES)
@given(data=st.data())
def test_a_column_converts_like_its_values_one_by_one(data_type: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(fitting_values[data_type] | st.none(), max_size=8))
    values += data.draw(st.lists(json_values, max_size=2))
    fitting, misfits = one_by_one(data_type, values)
    array, variants = typed_column(data_type, values)
    assert array.to_pylist() == fitting
    assert (variants.to_pylist() if variants is not None else [None] * len(values)) == misfits


@pytest.mark.parametrize("odd", ["soon", "2026-02-30T10:00:00Z", 1767225600, {"at": 1}], ids=str)
def test_few_odd_values_take_few_calls_of_arrow(odd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counted(texts: pa.StringArray) -> pa.Array:
        calls.append(len(texts))
        return instants(texts)

    monkeypatch.setattr(columns, "instants", counted)
    values = [odd if n % 250 == 0 else f"2026-01-31T23:{n % 60:02}:00Z" for n in range(1000)]
    fitting, misfits = typed_column("timestamp", values)
    assert fitting.null_count == 4
    assert misfits is not None
    assert misfits.drop_null().to_pylist() == [as_text(odd)] * 4
    assert len(calls) < 100


def test_number_that_overflows_in_arrow_is_not_changed() -> None:
    array, variants = typed_column("decimal", ["7.5", 3743106039873429137970549819721])
    assert array.to_pylist() == [Decimal("7.5"), None]
    assert variants is not None
    assert variants.to_pylist() == [None, "3743106039873429137970549819721"]


@pytest.mark.parametrize("data_type", TYPES)
@given(value=json_values)
def test_nothing_is_lost(data_type: str, value: Any) -> None:
    [fitting], [misfit] = one_by_one(data_type, [value])
    assert (fitting is None and misfit is None) is (value is None)
    if misfit is not None:
        assert misfit == as_text(value)
        assert isinstance(value, str) or json.loads(misfit) == value


@pytest.mark.parametrize(
    ("values", "data_type"),
    [
        ([None, None], None),
        ([True, None], "bool"),
        ([1, None, -(2**63)], "bigint"),
        ([1, 0.5], "double"),
        ([0.5, 2**53], "double"),
        ([0.5, 2**53 + 1], "json"),
        ([1, 2**53 + 1, 0.5], "json"),
        ([1, 2**63], "json"),
        ([True, 1], "json"),
        ([{"a": 1}, []], "json"),
        ([{"a": 1}, 1], "json"),
        (["7", "8"], "text"),
        (["2024-01-05T10:00:00Z"], "text"),
        ([7, "007"], "text"),
        (["x", True, {"a": [1.5]}], "text"),
    ],
)
def test_undeclared_column_has_the_narrowest_type(values: list[Any], data_type: str | None) -> None:
    assert narrowest_type(values) == data_type


@given(values=st.lists(json_values, max_size=6))
def test_the_narrowest_type_holds_all_of_its_first_values(values: list[Any]) -> None:
    data_type = narrowest_type(values)
    if data_type is not None:
        _, variants = typed_column(data_type, values)
        assert variants is None
