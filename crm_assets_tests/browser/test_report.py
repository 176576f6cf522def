"""The sales review in a browser: on screens of three widths, light and dark, and on paper."""

from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from crm_assets.assets.reports import tables_read
from crm_assets.reports.figures import Formats, read_figures
from crm_assets.reports.page import write_review
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.test_metrics import metrics
from crm_assets_tests.reports.invented import HOSTILE, LISTS, Records, invented

pytestmark = pytest.mark.browser

SMALLEST = 10
"""Pixels that a letter has at least."""

TEXTS = """
() => [...document.querySelectorAll("body *")].filter(element =>
  element.checkVisibility() && [...element.childNodes].some(node => node.nodeType == 3 && node.data.trim())
).map(element => {
  const {left, right} = element.getBoundingClientRect()
  const scale = element.getScreenCTM ? element.getScreenCTM().a : 1
  const isCut = element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX != "visible"
  return {text: element.textContent, left, right, isCut, size: scale * parseFloat(getComputedStyle(element).fontSize)}
})
"""
"""The visible texts of a page: from where to where they are, their size in pixels, and whether a part is cut off."""

AXES = """
() => [...document.querySelectorAll("svg")].map(svg => [...svg.querySelectorAll("text")].map(text => {
  const {left, right, top, bottom} = text.getBoundingClientRect()
  return {left, right, top, bottom}
})).filter(texts => texts.length)
"""
"""The labels of each axis."""

PAGE_RULES = """
() => [...document.styleSheets[0].cssRules].filter(rule => rule instanceof CSSPageRule).map(rule => rule.cssText)
"""


def written(folder: Path, *, is_empty: bool) -> Path:
    """The page of a CRM that has all that is hard to show, or nothing."""
    tables = RawTables(duckdb.connect())
    made = invented(ZoneInfo("UTC"))
    for resource in [] if is_empty else LISTS:
        records: Records = getattr(made, resource)
        tables.add_each(resource, **{name: [record[name] for record in records] for name in records[0]})
    if not is_empty:
        for number, name in enumerate(HOSTILE, 1):
            tables.side_load("users", number, display_name=name)
            tables.change("accounts", number, name=name)
        tables.change("won_deals", 1, base_currency_amount=10**20)
        tables.set_targets(*made.targets)
    tables.build(*tables_read())
    page = folder / "sales_review.html"
    definitions = {name: definition for name, (_, definition) in metrics().items()}
    write_review(page, read_figures(tables.connection), Formats(ZoneInfo("UTC"), "CHF"), definitions, "a test")
    return page


@pytest.fixture(scope="module", params=[False, True], ids=["full", "empty"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("reports"), is_empty=request.param)


@pytest.fixture(params=[420, 800, 1600])
def shown(request: pytest.FixtureRequest, page: Page, report: Path) -> Page:
    """The page on a screen of some width, with all tables unfolded."""
    page.set_viewport_size({"width": request.param, "height": 900})
    page.goto(report.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    return page


def test_page_fits_the_screen(shown: Page) -> None:
    width = shown.evaluate("innerWidth")
    assert shown.evaluate("document.documentElement.scrollWidth") == width
    texts = shown.evaluate(TEXTS)
    assert texts
    assert not [text for text in texts if text["isCut"] or text["left"] < 0 or text["right"] > width]
    assert min(text["size"] for text in texts) >= SMALLEST


def test_labels_of_an_axis_are_apart(shown: Page) -> None:
    for labels in shown.evaluate(AXES):
        assert 5 <= len(labels) <= 8
        for one, other in pairwise(labels):
            assert one["right"] < other["left"] or other["bottom"] <= one["top"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_checker_finds_nothing(shown: Page, scheme: str) -> None:
    shown.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    found = Axe().run(shown)
    assert found.violations_count == 0, found.generate_report()


def test_paper_has_all_figures_and_page_numbers(page: Page, report: Path) -> None:
    page.goto(report.as_uri())
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 960})  # of A4 within its margins
    hidden = "tables => tables.filter(table => !table.getBoundingClientRect().height).length"
    assert page.eval_on_selector_all("table", hidden) == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 680
    [rule] = page.evaluate(PAGE_RULES)
    assert "counter(page)" in rule
    pages = page.pdf(format="A4").count(b"/Type /Page\n")
    assert 2 <= pages <= 15
