"""The charts of the sales review, as SVG for the page and PNG for Dagster's UI.

Needs neither a browser nor a network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import altair as alt
import vl_convert

from crm_assets.reports.figures import Rows, SalesReview

AGES: Mapping[str, str] = {
    "over 30 days overdue": "#b2182b",
    "8 to 30 days overdue": "#ef8a62",
    "up to 7 days overdue": "#f4c07a",
    "not due yet": "#4393c3",
    "no due date": "#8c96a3",
}
"""Age of an open task -> colour, the most urgent first. The colours differ in lightness, too."""

ACCENT, TARGET = "#4393c3", "#f0a202"

CONFIG: Mapping[str, Any] = {
    # The page sets the colour of text and lines, for its light and its dark theme.
    "background": "transparent",
    "font": "sans-serif",
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "domainColor": "currentColor",
        "tickColor": "currentColor",
        "gridColor": "currentColor",
        "gridOpacity": 0.15,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 200,
    },
    "legend": {"labelColor": "currentColor", "labelFontSize": 12, "orient": "top", "title": None},
    "text": {"color": "currentColor"},
    "view": {"stroke": None},
}

SIZE = {"width": 820, "height": 260}


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        name: A short name.
        title: The heading on the page.
        description: A text alternative with the main figures.
        rows: The figures drawn.
        spec: The Vega-Lite specification.
    """

    name: str
    title: str
    description: str
    rows: Rows
    spec: dict[str, Any]

    @cached_property
    def svg(self) -> str:
        """The chart for the page, in the page's text colour."""
        return vl_convert.vegalite_to_svg(self.spec)


def charts(review: SalesReview) -> list[Chart]:
    """The charts of a review. A chart without figures has empty axes, and its description says so."""
    return [_revenue(review.revenue), _backlog(review.backlog), _meetings(review.meetings)]


def _revenue(rows: Rows) -> Chart:
    best = max(rows, key=lambda row: row["won_amount"])
    total = sum(row["won_amount"] for row in rows)
    base = alt.Chart(_labelled(rows, "month", "%b %Y")).encode(
        x=alt.X("month:O", title=None, sort=None, axis=alt.Axis(labelAngle=-45))
    )
    won = base.mark_bar(color=ACCENT).encode(
        y=alt.Y("won_amount:Q", title="won amount (company's currency)", axis=alt.Axis(format="~s", tickCount=5))
    )
    target = base.mark_tick(color=TARGET, opacity=1, thickness=3, size=28).encode(y=alt.Y("target_amount:Q"))
    described = (
        f"Bars by month. {total:,.0f} won in {len(rows)} months; the best was {best['month']:%B %Y} "
        f"with {best['won_amount']:,.0f}."
        if total
        else f"No deal was won in the last {len(rows)} months."
    )
    latest = rows[-1]
    if latest["target_amount"]:
        reached = latest["won_amount"] / latest["target_amount"]
        described += f" The orange marks are the targets, {reached:.0%} of which is reached this month."
    return _chart("revenue", "Won revenue by month, against target", described, rows, won + target)


def _backlog(rows: Rows) -> Chart:
    owners = list(dict.fromkeys(row["owner"] for row in rows))
    drawn = (
        alt.Chart(alt.InlineData(values=[{**row, "order": list(AGES).index(row["age"])} for row in rows]))
        .mark_bar()
        .encode(
            y=alt.Y("owner:N", title=None, sort=owners),
            x=alt.X("open_tasks:Q", title="open tasks", axis=alt.Axis(tickMinStep=1, format=",d")),
            color=alt.Color("age:N", scale=alt.Scale(domain=list(AGES), range=list(AGES.values()))),
            order=alt.Order("order:Q"),
        )
    )
    tasks = sum(row["open_tasks"] for row in rows)
    overdue = sum(row["open_tasks"] for row in rows if row["age"].endswith("overdue"))
    described = (
        f"Stacked bars by owner. Open tasks: {tasks:,}, of these overdue: {overdue:,}. {owners[0]} has the most."
        if rows
        else "No task is open."
    )
    return _chart("backlog", "Open tasks by owner and age", described, rows, drawn, height=max(120, 24 * len(owners)))


def _meetings(rows: Rows) -> Chart:
    drawn = (
        alt.Chart(_labelled(rows, "week", "%d %b"))
        .mark_line(color=ACCENT, point=alt.OverlayMarkDef(color=ACCENT))
        .encode(
            x=alt.X("week:O", title="week beginning", sort=None, axis=alt.Axis(labelAngle=-45)),
            y=alt.Y("meetings:Q", title="meetings", axis=alt.Axis(tickMinStep=1, format=",d")),
        )
    )
    met = sum(row["meetings"] for row in rows)
    described = (
        f"A line by week. {met:,} meetings in {len(rows)} weeks, {met / len(rows):,.1f} a week; "
        f"{rows[-1]['meetings']:,} in the current one."
        if met
        else f"No meeting in the last {len(rows)} weeks."
    )
    return _chart("meetings", "Meetings by week", described, rows, drawn)


def _labelled(rows: Rows, column: str, label: str) -> alt.InlineData:
    """Rows with their dates formatted as text: Vega would shift dates to the machine's time zone."""
    drawn = [{**row, column: f"{row[column]:{label}}"} for row in rows]
    # Vega has no decimals; the page's text and tables show the exact amounts.
    return alt.InlineData(
        values=[{k: float(v) if isinstance(v, Decimal) else v for k, v in row.items()} for row in drawn]
    )


def _chart(
    name: str, title: str, description: str, rows: Rows, drawn: alt.Chart | alt.LayerChart, **size: int
) -> Chart:
    spec = drawn.properties(**{**SIZE, **size}).configure(**CONFIG).to_dict()
    return Chart(name, title, description, rows, spec)
