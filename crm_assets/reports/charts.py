"""The charts of the sales review: where bars, marks and ticks are, in percent of the width or height of the drawing.

So a chart is as wide as the text beside it, and its own text stays as large as on the page.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import count

from crm_assets.reports.tables import Column, Table

LABELS = 8
"""The most ticks of an axis."""

UNITS = ((10**12, "tn"), (10**9, "bn"), (10**6, "M"), (10**3, "k"), (1, ""))


@dataclass(frozen=True)
class Piece:
    """A piece of a bar: the place of its series among the columns that are drawn, and where it starts and ends."""

    series: int
    start: float
    end: float


@dataclass(frozen=True)
class Bar:
    """A bar: its label, its pieces, and where the mark is that it compares with, if any."""

    label: str
    pieces: list[Piece]
    mark: float | None


@dataclass(frozen=True)
class Chart:
    """A chart of a table.

    Attributes:
        table: The table.
        series: The columns that are drawn as bars, stacked.
        mark: The column that is drawn as a mark at each bar, if any.
        bars: A bar for each row.
        ticks: The ticks of the axis: place and label.
        every: Of so many bars one has a label, the last one among them, so that there are five at most.
    """

    table: Table
    series: list[Column]
    mark: Column | None
    bars: list[Bar]
    ticks: list[tuple[float, str]]
    every: int


def chart(table: Table, write: Callable[[Column, object], str], series: Sequence[str], mark: str = "") -> Chart:
    """The chart of a table whose first column has the labels.

    Args:
        table: The table.
        write: Writes a value of a column.
        series: The names of the columns that are drawn as bars.
        mark: The name of the column that is drawn as a mark.
    """
    columns = {column.name: column for column in table.columns}
    stacked = [list(_stacked([row[name] for name in series])) for row in table.rows]
    marks = [row[mark] if mark else None for row in table.rows]
    ends = [*(end for pieces in stacked for piece in pieces for end in piece), *(each for each in marks if each)]
    ticks = axis(Decimal(min(ends, default=0)), Decimal(max(ends, default=0)))

    def place(value: Decimal) -> float:
        return round(float(100 * (value - ticks[0]) / (ticks[-1] - ticks[0])), 2)

    bars = [
        Bar(
            write(table.columns[0], row[table.columns[0].name]),
            [Piece(number, place(low), place(high)) for number, (low, high) in enumerate(pieces) if low != high],
            None if compared is None else place(compared),
        )
        for row, pieces, compared in zip(table.rows, stacked, marks, strict=True)
    ]
    drawn = [columns[name] for name in series]
    labelled = [(place(tick), short(tick)) for tick in ticks]
    return Chart(table, drawn, columns.get(mark), bars, labelled, -(-len(bars) // 5))


def axis(low: Decimal, high: Decimal) -> list[Decimal]:
    """Five to eight round numbers, whole ones, from at most `low` and 0 to at least `high`."""
    for step in _steps():
        first = (min(low, Decimal(0)) / step).to_integral_value(ROUND_FLOOR)
        last = (high / step).to_integral_value(ROUND_CEILING)
        if last - first < LABELS:
            return [step * (first + number) for number in range(max(5, int(last - first) + 1))]
    raise AssertionError


def short(number: Decimal) -> str:
    """A round number in few characters, such as 250k."""
    size, suffix = next((unit for unit in UNITS if abs(number) >= unit[0]), UNITS[-1])
    scaled = f"{(number / size).normalize():f}"
    return f"{scaled}{suffix}" if len(scaled.lstrip("-")) < len("1000") else f"{number.normalize():e}"


def _steps() -> Iterator[Decimal]:
    for power in count():
        yield from (digit * Decimal(10) ** power for digit in (1, 2, 5))


def _stacked(values: Iterable[Decimal]) -> Iterator[tuple[Decimal, Decimal]]:
    """From and to of each piece: positive ones upwards from zero, negative ones downwards."""
    up = down = Decimal(0)
    for value in values:
        if value < 0:
            down += value
            yield down, down - value
        else:
            up += value
            yield up - value, up
