"""The tables of the page: their columns, how these are written, which metric defines them; charts of some tables.

In a chart, places of bars, marks and ticks are in percent of its width or height. So it is as wide as the text beside
it, and its own text stays as large as on the page.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cache, cached_property
from itertools import count

import yaml

from crm_assets.reports.figures import EXACT, QUERIES, Row, Rows, SalesReview, ratio
from crm_assets.yaml_files import FAST_SAFE_LOADER


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name in the rows and in the CSV file.
        label: Its heading.
        kind: The method of `Formats` that writes its values.
        metric: The metric in docs/metrics.md that defines it; empty if it has no figures.
    """

    name: str
    label: str
    kind: str
    metric: str = ""

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, which are aligned to the right."""
        return self.kind in {"amount", "count", "share", "change"}


@dataclass(frozen=True)
class Table:
    """A table of the page, and a CSV file.

    Attributes:
        name: The name of the file.
        title: What it shows.
        columns: Its columns.
        rows: Its rows.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Rows


DECLARED = yaml.load((QUERIES / "tables.yaml").read_bytes(), Loader=FAST_SAFE_LOADER)  # noqa: S506 # a safe one
"""What `sales_review/tables.yaml` says of each table and its chart."""

HEADLINE: Mapping[str, str] = DECLARED["week"]["rows"]
"""Number of `pipeline_health_daily` -> its metric."""


@cache
def declared_tables() -> Mapping[str, tuple[str, Sequence[Column]]]:
    """Name of a table -> its title and its columns, as in `sales_review/tables.yaml`."""
    return {
        name: (table["title"], [Column(column, *given) for column, given in table["columns"].items()])
        for name, table in DECLARED.items()
    }


def tables_of(review: SalesReview) -> Mapping[str, Table]:
    """The tables of a review, in the page's order."""
    parts = {**review, "week": _week(review)}
    return {
        name: Table(name, title, columns, [{**row, **_shares(row, parts[name])} for row in parts[name]])
        for name, (title, columns) in declared_tables().items()
    }


def _week(review: SalesReview) -> Rows:
    """The numbers of the latest build, with their changes since a week or more before."""
    now, *before = review["headline"]
    return [
        {
            "figure": metric,
            "value": now[name],
            "change": EXACT.subtract(now[name], before[0][name]) if before else None,
        }
        for name, metric in HEADLINE.items()
    ]


def _shares(row: Row, rows: Rows) -> Row:
    """The shares that follow from a row's figures."""
    found = {}
    if "target_to_date" in row:
        found["attainment"] = ratio(row["won_amount"], row["target_to_date"])
    if "target_this_year" in row:
        found["attainment_this_year"] = ratio(row["won_amount_this_year"], row["target_this_year"])
    if "revenue_type" in row:
        found["share"] = ratio(row["won_amount_12m"], sum(each["won_amount_12m"] for each in rows))
    return found


LABELS = 8
"""The most ticks of an axis."""

UNITS = ((10**12, "tn"), (10**9, "bn"), (10**6, "M"), (10**3, "k"), (1, ""))


@dataclass(frozen=True)
class Chart:
    """A chart of a table whose first column has the labels: a bar for each row.

    Attributes:
        table: The table.
        series: The columns that are drawn as bars, stacked.
        mark: The column that is drawn as a mark at each bar, if any.
    """

    table: Table
    series: Sequence[Column]
    mark: Column | None = None

    @cached_property
    def axis(self) -> list[Decimal]:
        """The values at which the axis has ticks."""
        ends = [end for row in self.table.rows for both in self._stacked(row) for end in both]
        marks = [row[self.mark.name] or Decimal(0) for row in self.table.rows] if self.mark else []
        return axis(min([*ends, *marks], default=Decimal(0)), max([*ends, *marks], default=Decimal(0)))

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """The ticks of the axis: place and label."""
        return [(self.place(tick), short(tick)) for tick in self.axis]

    @property
    def every(self) -> int:
        """Of so many bars one has a label, the last one among them, so that there are five at most."""
        return -(-len(self.table.rows) // 5)

    def place(self, value: Decimal) -> float:
        """Where a value is on the axis."""
        return round(float(100 * (value - self.axis[0]) / (self.axis[-1] - self.axis[0])), 2)

    def pieces(self, row: Row) -> list[tuple[int, float, float]]:
        """The pieces of a row's bar: the place of the series among those drawn, where it starts and where it ends."""
        stacked = enumerate(self._stacked(row))
        return [(series, self.place(low), self.place(high)) for series, (low, high) in stacked if low != high]

    def marked(self, row: Row) -> float | None:
        """Where the mark of a row's bar is; None without a value."""
        value = row[self.mark.name] if self.mark else None
        return None if value is None else self.place(value)

    def _stacked(self, row: Row) -> Iterator[tuple[Decimal, Decimal]]:
        """From and to of each piece: positive ones upwards from zero, negative ones downwards."""
        up = down = Decimal(0)
        for column in self.series:
            value = row[column.name]
            if value < 0:
                down += value
                yield down, down - value
            else:
                up += value
                yield up - value, up


def chart(table: Table, series: Sequence[str], mark: str = "") -> Chart:
    """The chart of a table. `series` and `mark`: the names of the columns that are drawn."""
    columns = {column.name: column for column in table.columns}
    return Chart(table, [columns[name] for name in series], columns.get(mark))


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
