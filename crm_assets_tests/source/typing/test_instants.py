"""A timestamp with an offset is an instant, in any format of RFC 3339 and ISO 8601; anything else is a variant."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crm_assets.source.typing.columns import typed_column

MICROSECOND = timedelta.resolution
DAY_ENDS = timedelta(days=1)
EPOCH = datetime(1, 1, 1)  # noqa: DTZ001 # without a zone, as the times that are compared


def utc(*parts: int) -> datetime:
    """An instant in UTC."""
    return datetime(*parts, tzinfo=timezone.utc)  # type: ignore[misc,arg-type]  # mypy counts no unpacked arguments


def columns(texts: list[str | None]) -> tuple[list[Any], list[Any]]:
    """The column and the variant column of the texts."""
    array, variants = typed_column("timestamp", texts)
    return array.to_pylist(), variants.to_pylist() if variants is not None else [None] * len(texts)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-01-05T10:11:12.1234567Z", utc(2024, 1, 5, 10, 11, 12, 123456)),
        ("2024-01-05T10:11:12.999999999Z", utc(2024, 1, 5, 10, 11, 12, 999999)),
        ("1962-01-05T10:11:12.123456789012345+05:30", utc(1962, 1, 5, 4, 41, 12, 123456)),
        ("2024-01-05T10:11:12,5Z", utc(2024, 1, 5, 10, 11, 12, 500000)),
        ("2024-01-05T10:11:12,1234567 -0330", utc(2024, 1, 5, 13, 41, 12, 123456)),
        ("20240105T101112Z", utc(2024, 1, 5, 10, 11, 12)),
        ("20240105T101112.25+0530", utc(2024, 1, 5, 4, 41, 12, 250000)),
        ("20240105T1011+05", utc(2024, 1, 5, 5, 11)),
        ("20240105T10Z", utc(2024, 1, 5, 10)),
        ("2024-01-05 10:11:12 +0000", utc(2024, 1, 5, 10, 11, 12)),
        ("2024-01-05T10:11:12 Z", utc(2024, 1, 5, 10, 11, 12)),
        ("2024-01-05t10:11:12z", utc(2024, 1, 5, 10, 11, 12)),
        ("2024-01-05t10:11:12.1234567z", utc(2024, 1, 5, 10, 11, 12, 123456)),
        ("2024-01-05T24:00:00Z", utc(2024, 1, 6)),
        ("2023-12-31T24:00:00.000+01:00", utc(2023, 12, 31, 23)),
        ("20240228T240000Z", utc(2024, 2, 29)),
        ("2024-01-05T24:00Z", utc(2024, 1, 6)),
        ("2016-12-31T23:59:60Z", utc(2017, 1, 1)),
        ("2016-12-31T15:59:60.5-08:00", utc(2017, 1, 1, 0, 0, 0, 500000)),
        ("2024-01-05T10:11Z", utc(2024, 1, 5, 10, 11)),
        ("2024-01-05T10:11.5Z", utc(2024, 1, 5, 10, 11, 30)),
        ("2024-01-05T10,25+01:00", utc(2024, 1, 5, 9, 15)),
        ("2024-W01-5T10:11:12Z", utc(2024, 1, 5, 10, 11, 12)),
        ("2020W537T101112Z", utc(2021, 1, 3, 10, 11, 12)),
        ("2024-060T10:11:12Z", utc(2024, 2, 29, 10, 11, 12)),
        ("2024366T10Z", utc(2024, 12, 31, 10)),
        ("2024-01-05T10:11:12+14:00", utc(2024, 1, 4, 20, 11, 12)),
        ("2024-01-05T10:11:12-12:00", utc(2024, 1, 5, 22, 11, 12)),
        ("2024-01-05T10:11:12-00:00", utc(2024, 1, 5, 10, 11, 12)),
        ("2024-01-05T10:11:12\N{MINUS SIGN}05:00", utc(2024, 1, 5, 15, 11, 12)),
        ("9999-12-31T24:00:00+05:30", utc(9999, 12, 31, 18, 30)),
    ],
)
def test_timestamp_with_an_offset_is_an_instant(text: str, instant: datetime) -> None:
    assert columns([text]) == ([instant], [None])
    usual = "2026-01-31T10:00:00Z"
    assert columns([usual, text, None]) == ([utc(2026, 1, 31, 10), instant, None], [None] * 3)


@pytest.mark.parametrize(
    "text",
    [
        *(
            f"{day}T10:11:12Z"
            for day in (
                *("2024-13-05", "2024-00-05", "2024-02-30", "2023-366", "2024-000", "2024-W53-1", "2024-W01-0"),
                *("2024-W01", "2024-01", "20240105", "2024-0105", "12024-01-05", "-2024-01-05", " 2024-01-05"),
                "\u0662\u0660\u0662\u0664-01-05",
            )
        ),
        *(
            f"2024-01-05T{time}"
            for time in (
                *("25:00:00Z", "24:00:01Z", "24:00:00.5Z", "10:60:00Z", "10:11:61Z", "10:11:12.Z", "101112Z"),
                *("10:11:12+99:99", "10:11:12+24:00", "10:11:12+05:60", "10:11:12.1234567.8Z", "10:11:12ZZ"),
                *("10:11:12 UTC", "10:11:12  +0000", "10:11:12Z\n", f"10:11:12.{'1' * 5000}x"),
            )
        ),
        *("20230229T101112Z", "20240105T101112+9999", "2024-01-05Z", "0000-01-01T101112Z", ""),
        *("0001-01-01T00:00:00.0000001+05:30", "9999-12-31T24:00:00Z", "9999-12-31T23:59:60Z"),
    ],
)
def test_invalid_timestamp_stays_a_variant(text: str) -> None:
    assert columns([text]) == ([None], [text])
    usual = "2024-01-05T10:11:12.1234567Z"
    assert columns([usual, text]) == ([utc(2024, 1, 5, 10, 11, 12, 123456), None], [None, text])


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-01-05T10:11:12", utc(2024, 1, 5, 10, 11, 12)),
        ("2024-01-05 10:11", utc(2024, 1, 5, 10, 11)),
        ("2024-01-05T10:11:12.123456000", utc(2024, 1, 5, 10, 11, 12, 123456)),
        ("2024-01-05T10:11:12.1234567", None),
        ("20240105T101112", None),
        ("2024-01-05", None),
    ],
)
def test_timestamp_without_offset_is_exact_or_refused(text: str, instant: datetime | None) -> None:
    assert columns([text]) == ([instant], [None if instant else text])


@st.composite
def written(draw: st.DrawFn) -> tuple[str, datetime | None]:
    """A timestamp in any format, and its instant; None outside of the years 1 to 9999."""
    moment = draw(st.datetimes())
    extended = draw(st.booleans())
    dash, colon = ("-", ":") if extended else ("", "")
    year, week, weekday = moment.isocalendar()
    dates = [
        f"{moment.year:04}{dash}{moment.month:02}{dash}{moment.day:02}",
        f"{moment.year:04}{dash}{moment.timetuple().tm_yday:03}",
    ]
    if 1 <= year <= 9999:  # the last days of 9999 are always in its own weeks
        dates.append(f"{year:04}{dash}W{week:02}{dash}{weekday}")
    digits = draw(st.text("0123456789", max_size=40))
    separator = draw(st.sampled_from(".,"))
    unit, time = draw(
        st.sampled_from(
            [
                (timedelta(hours=1), f"{moment.hour:02}"),
                (timedelta(minutes=1), f"{moment.hour:02}{colon}{moment.minute:02}"),
                (timedelta(seconds=1), f"{moment.hour:02}{colon}{moment.minute:02}{colon}{moment.second:02}"),
            ]
        )
    )
    whole = moment - (moment - EPOCH) % unit
    part = int(digits or 0) * (unit // MICROSECOND) // 10 ** len(digits) * MICROSECOND
    minutes = draw(st.integers(-23 * 60 - 59, 23 * 60 + 59))
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    offsets = [f"{sign}{hours:02}:{rest:02}", f"{sign}{hours:02}{rest:02}"]
    offsets += [f"{sign}{hours:02}"] * (rest == 0) + ["Z", "z", "-00:00"] * (minutes == 0)
    text = draw(st.sampled_from(dates)) + draw(st.sampled_from("Tt ")) + time + (f"{separator}{digits}" * bool(digits))
    text += draw(st.sampled_from(["", " "])) + draw(st.sampled_from(offsets))
    try:
        instant = (whole - timedelta(minutes=minutes) + part).replace(tzinfo=timezone.utc)
    except OverflowError:
        instant = None
    return text, instant


@given(given=st.lists(written(), min_size=1, max_size=6))
@example(given=[("20000101T00.0000001+00:00", utc(2000, 1, 1, 0, 0, 0, 360))])
def test_any_format_is_the_instant_that_python_computes(given: list[tuple[str, datetime | None]]) -> None:
    texts = [text for text, _ in given]
    instants = [instant for _, instant in given]
    misfits = [text if instant is None else None for text, instant in given]
    assert columns([*texts]) == (instants, misfits)


@given(day=st.dates(max_value=datetime(9999, 12, 30).date()), minutes=st.integers(-720, 840))  # noqa: DTZ001
def test_midnight_at_the_end_of_a_day_is_that_of_the_next(day: Any, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    midnight = datetime.combine(day, datetime.min.time(), zone)
    offset = midnight.strftime("%z")
    ways = [f"{day}T24:00:00{offset}", f"{day}T23:59:60{offset}"]
    try:
        instant = (midnight.replace(tzinfo=None) + DAY_ENDS - timedelta(minutes=minutes)).replace(tzinfo=timezone.utc)
    except OverflowError:
        instant = None
    assert columns([*ways])[0] == [instant, instant]
