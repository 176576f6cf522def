"""What users do first in Dagster's UI, by clicking, with the bundled sandbox."""

import re
import subprocess
import sys
from collections import defaultdict

import pytest
from playwright.sync_api import Locator, Page, expect

from crm_assets.definitions import defs
from crm_assets_tests.browser.conftest import Photographer
from crm_assets_tests.browser.runs import assert_success
from crm_assets_tests.dagster_dev import DagsterDev, environment

pytestmark = pytest.mark.browser

SCHEDULE = "/locations/crm_assets/schedules/accounts_schedule"


PAGES = {
    "timeline": ("/overview/activity/timeline", ["crm_assets", "Jobless asset materializations"]),
    "catalog": ("/assets", ["account_overview", "One row per account"]),
    "lineage": ("/asset-groups", ["marts", "published", "raw", "snapshots", "staging"]),
    "raw asset": ("/assets/raw/accounts", ["400", "the bundled sandbox", "Companies the sales team deals with", "dlt"]),
    "model": ("/assets/marts/customer_value", ["One row per account with a won deal", "won_amount_12m", "DuckDB"]),
    "checks": ("/assets/raw/contacts?view=checks", ["Checks (5)", "The last read reached its end", "Passed"]),
    "jobs": ("/jobs", ["crm_build", "crm_full_refresh", "accounts_sync"]),
    "job": ("/locations/crm_assets/jobs/crm_full_refresh", ["Reads all resources in full", "staging"]),
    "runs": ("/runs", ["Success", "Manually launched"]),
    "automation": ("/automation", ["accounts_schedule", "build_what_changed", "Scheduled At 02:30 AM UTC"]),
    "schedule": ("/locations/crm_assets/schedules/crm_full_refresh_schedule", ["Every night", "crm_full_refresh"]),
    "sensor": ("/locations/crm_assets/sensors/build_what_changed", ["Builds models", "crm_build", "0 runs requested"]),
}
"""Kind of page -> its path, and what it shows among others."""

CUT = """() => [...document.querySelectorAll("body *:not(svg *)")].flatMap(element => {
    if (!element.textContent.trim() || [...element.children].some(child => child.textContent.trim())) return []
    const range = document.createRange()
    range.selectNodeContents(element)
    const text = range.getBoundingClientRect()
    for (let box = element; text.width && box !== document.body; box = box.parentElement) {
        const overflow = getComputedStyle(box).overflowX
        if (["auto", "scroll"].includes(overflow)) return []
        if (["hidden", "clip"].includes(overflow) && text.right > box.getBoundingClientRect().right + 1)
            return [element.textContent.trim()]
    }
    return []
})"""
"""The texts that do not fit their box, and cannot be scrolled."""


def names_by_group() -> dict[str, list[str]]:
    """Group -> names of its assets, in the order of the UI."""
    groups = defaultdict(list)
    for asset in defs.resolve_asset_graph().asset_nodes:
        groups[asset.group_name].append(asset.key.path[-1])
    return dict(sorted(groups.items()))


def metadata(page: Page, key: str) -> Locator:
    """The row of a metadata value on an asset's page."""
    return page.get_by_role("row").filter(has=page.get_by_role("cell", name=key, exact=True))


def test_the_lineage_shows_all_assets_in_their_groups(page: Page, dev: DagsterDev) -> None:
    page.goto(f"{dev.url}/asset-groups")
    for place, (group, names) in enumerate(names_by_group().items()):
        expect(page.get_by_role("button", name=f"asset_group {group}")).to_be_visible()
        arrow = page.get_by_role("button", name="arrow_drop_down", exact=True).nth(place)
        arrow.click()
        shown = page.get_by_role("button", name=re.compile(rf"\b({'|'.join(names)}) \1$"))
        expect(shown).to_have_count(len(names))
        arrow.click()
        expect(shown).to_have_count(0)


def test_a_schedule_can_be_turned_on(page: Page, dev: DagsterDev) -> None:
    page.goto(f"{dev.url}{SCHEDULE}")
    running = page.get_by_role("row", name="Running")
    running.locator("label").click()
    expect(running.get_by_role("checkbox")).to_be_checked()
    expect(page.get_by_role("row", name="Next tick")).to_contain_text(":00:00")


def test_materialize_all_ends_in_a_green_graph(
    page: Page, dev: DagsterDev, all_materialized: str, picture: Photographer
) -> None:
    page.goto(all_materialized)
    assert_success(page)
    # With less room, the graph shows no states.
    page.get_by_role("button", name="Hide navigation").click()
    page.set_viewport_size({"width": 1640, "height": 760})
    page.goto(f"{dev.url}/asset-groups")
    raw = list(names_by_group()).index("raw")
    page.get_by_role("button", name="arrow_drop_down", exact=True).nth(raw).click()
    expect(page.get_by_role("button", name=re.compile("^run_success"))).to_have_count(len(names_by_group()["raw"]))
    for group, names in names_by_group().items():
        # How many of the group's assets are in which state: there is one number if all are in the same.
        node = page.locator("foreignObject").filter(has_text=re.compile(f"^{group}"))
        expect(node).to_have_text(f"{group}{len(names)}")
    page.get_by_text("Global asset lineage").hover()
    picture(page, "lineage")


@pytest.mark.usefixtures("all_materialized")
def test_an_asset_shows_its_columns(page: Page, dev: DagsterDev, picture: Photographer) -> None:
    page.goto(f"{dev.url}/assets/raw/contacts")
    email = page.get_by_role("row", name=re.compile("^email "))
    for part in ("personal_data", "VARCHAR", "Primary e-mail address."):
        expect(email).to_contain_text(part)
    picture(page, "asset")


@pytest.mark.usefixtures("all_materialized")
def test_an_asset_shows_its_numbers_over_time(page: Page, dev: DagsterDev) -> None:
    page.goto(f"{dev.url}/assets/raw/contacts")
    page.get_by_role("button", name="Plots").click()
    expect(page.get_by_text("crm/requests", exact=True)).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()


@pytest.mark.usefixtures("all_materialized")
def test_an_asset_has_the_statement_that_shows_its_rows(page: Page, dev: DagsterDev) -> None:
    page.goto(f"{dev.url}/assets/raw/contacts")
    expect(metadata(page, "crm/rows")).to_contain_text("from raw.contacts limit 10")


@pytest.mark.usefixtures("all_materialized")
def test_an_asset_shows_its_checks(page: Page, dev: DagsterDev) -> None:
    page.goto(f"{dev.url}/assets/raw/contacts?view=checks")
    expect(page.get_by_text("Succeeded", exact=True)).to_have_count(5)
    expect(page.get_by_text("the last read (full) is complete")).to_be_visible()


@pytest.mark.usefixtures("all_materialized")
def test_an_asset_links_to_the_report(page: Page, dev: DagsterDev, picture: Photographer) -> None:
    page.goto(f"{dev.url}/assets/reports/sales_review")
    with page.expect_popup() as opened:
        metadata(page, "page").get_by_role("link").first.click()
    report = opened.value
    expect(report.get_by_role("heading", name="Sales review")).to_be_visible()
    report.set_viewport_size({"width": 1060, "height": 1260})
    picture(report, "report")
    picture(report.locator("section").filter(has_text="From whom?"), "report_customers")
    with report.expect_download() as downloaded:
        report.get_by_role("link", name="The largest customers of the last 12 months as CSV").click()
    assert downloaded.value.suggested_filename == "customers.csv"
    report.close()


@pytest.mark.usefixtures("all_materialized")
def test_the_launchpad_takes_the_mode_of_a_read(page: Page, dev: DagsterDev) -> None:
    page.goto(f"{dev.url}/assets/raw/contacts")
    page.get_by_role("button", name="arrow_drop_down", exact=True).first.click()
    page.get_by_role("menuitem", name="Open launchpad").click()
    launchpad = page.get_by_role("dialog").filter(has_text="Launchpad")
    launchpad.get_by_text("full", exact=True).dblclick()
    page.keyboard.type("incremental")
    launchpad.get_by_role("button", name="Materialize").click()
    page.wait_for_url("**/runs/*")
    assert_success(page)
    page.goto(f"{dev.url}/assets/raw/contacts")
    expect(metadata(page, "crm/mode")).to_contain_text("incremental")


@pytest.mark.usefixtures("all_materialized")
@pytest.mark.parametrize("kind", [*PAGES, "run"])
def test_page_cuts_no_text_and_has_no_empty_section_and_no_error(
    kind: str, page: Page, dev: DagsterDev, all_materialized: str
) -> None:
    path, shown = PAGES.get(kind, (all_materialized.removeprefix(dev.url), ["raw__accounts", "Success", "RUN_SUCCESS"]))
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.set_viewport_size({"width": 1600, "height": 900})
    page.goto(f"{dev.url}{path}")
    for text in shown:
        expect(page.get_by_text(text).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert errors == []
    assert re.findall("^No (?!steps ).*", page.locator("body").inner_text(), re.MULTILINE) == []
    if kind == "run":
        return  # bars of its chart are as long as steps, columns of its log have a fixed width
    # The catalog shows the beginning of each description, a sensor of its cursor, the timeline of an hour.
    shortened = {
        "catalog": [(spec.description or "")[:30] for spec in defs.resolve_all_asset_specs()],
        "sensor": ['{"'],
        "timeline": [*"123456789"],
    }
    assert [text for text in page.evaluate(CUT) if not text.startswith(tuple(shortened.get(kind, ())))] == []
    assert re.findall(r"^[^{\n]*\w…\w.*", page.locator("body").inner_text(), re.MULTILINE) == []


def test_run_of_the_terminal_is_in_the_timeline(page: Page, dev: DagsterDev) -> None:
    command = [sys.executable, "-m", "crm_assets", "run", "crm_check"]
    subprocess.run(command, cwd=dev.project, env=environment(dev.project), check=True)
    page.goto(f"{dev.url}/overview/activity/timeline")
    expect(page.get_by_role("link", name="crm_check")).to_be_visible()
