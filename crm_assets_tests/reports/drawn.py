"""A page as its reader sees it: titles, tables, and what the bars of its charts amount to."""

import html
import re
from dataclasses import dataclass
from datetime import date, datetime, timezone
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from crm_assets.assets.reports import tables_read
from crm_assets.reports.figures import Formats, SalesReview, read_figures
from crm_assets.reports.page import render
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.test_metrics import metrics

UNITS = {"": 1, "k": 10**3, "M": 10**6, "bn": 10**9, "tn": 10**12}


@dataclass
class Figure:
    """A figure of the page: a table, and the chart that it may have."""

    rows: list[list[str]]
    bars: dict[str, list[float]]
    marks: dict[str, float]
    ticks: list[str]


def reviewed(crm: RawTables) -> SalesReview:
    crm.build(*tables_read())
    return read_figures(crm.connection)


def page_of(review: SalesReview, currency: str | None = None) -> str:
    definitions = {name: definition for name, (_, definition) in metrics().items()}
    return render(review, Formats(ZoneInfo("UTC"), currency), definitions, "a test", "sales_review")


def drawn(crm: RawTables) -> tuple[str, dict[str, Figure]]:
    page = page_of(reviewed(crm))
    return html.unescape(page), figures(page)


def today() -> date:
    return datetime.now(timezone.utc).date()


def figures(page: str) -> dict[str, Figure]:
    """Title -> figure."""
    found = {}
    for text in re.findall(r"<figure.*?</figure>", page, re.DOTALL):
        figure = ET.fromstring(text)  # noqa: S314
        rows = [["".join(cell.itertext()).strip() for cell in row] for row in figure.iterfind(".//tbody/tr")]
        found["".join(figure.find(".//h3").itertext())] = Figure(rows, *_chart(figure))  # type: ignore[union-attr]
    return found


def _chart(figure: ET.Element) -> tuple[dict[str, list[float]], dict[str, float], list[str]]:
    for kind, draw in {"bars": _bars, "columns": _columns}.items():
        for chart in figure.iterfind(f".//div[@class='chart {kind}']"):
            return draw(chart)
    return {}, {}, []


def _bars(chart: ET.Element) -> tuple[dict[str, list[float]], dict[str, float], list[str]]:
    labels = [str(label.text) for label in chart.iterfind("span[@class='label']")]
    *drawings, axis = chart.iterfind(".//svg")
    ticks = {str(tick.text): percent(tick, "x") for tick in axis.iterfind("text")}
    bars, marks = {}, {}
    for label, drawing in zip(labels, drawings, strict=True):
        bars[label] = [scaled(ticks, percent(piece, "width")) for piece in drawing.iterfind("rect")]
        for mark in drawing.iterfind("line[@class='mark']"):
            marks[label] = scaled(ticks, percent(mark, "x1"))
    return bars, marks, [*ticks]


def _columns(chart: ET.Element) -> tuple[dict[str, list[float]], dict[str, float], list[str]]:
    axis, plot, labels = chart.iterfind("svg")
    ticks = {str(tick.text): 100 - percent(tick, "y") for tick in axis.iterfind("text")}
    bars = {
        f"{percent(bar, 'x') + percent(bar, 'width') / 2:.1f}": [scaled(ticks, percent(bar, "height"))]
        for bar in plot.iterfind("rect")
    }
    marks = {
        f"{(percent(mark, 'x1') + percent(mark, 'x2')) / 2:.1f}": scaled(ticks, 100 - percent(mark, "y1"))
        for mark in plot.iterfind("line[@class='mark']")
    }
    named = {f"{percent(label, 'x'):.1f}": str(label.text) for label in labels.iterfind("text")}
    return (
        {named.get(x, x): bar for x, bar in bars.items()},
        {named.get(x, x): mark for x, mark in marks.items()},
        [*ticks],
    )


def percent(element: ET.Element, attribute: str) -> float:
    return float(element.attrib[attribute].rstrip("%"))


def scaled(ticks: dict[str, float], place: float) -> float:
    """What a place or a length amounts to on an axis that begins with 0."""
    label, end = [*ticks.items()][-1]
    found = re.fullmatch(r"([0-9.]+(?:e\+\d+)?)(\D*)", label)
    assert found
    return float(found[1]) * UNITS[found[2]] * place / end
