"""A CRM that refuses the key: what the UI shows, and the recovery."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from crm_assets_tests.browser.runs import assert_ends, see_the_run
from crm_assets_tests.dagster_dev import DagsterDev
from crm_assets_tests.scripted_crm import KEY, ScriptedCrm, scripted_crm

pytestmark = pytest.mark.browser

TASK = {"id": 1, "updated_at": "2026-01-01T00:00:00Z"}


def configure(dev: DagsterDev, crm: ScriptedCrm, key: str) -> None:
    """Writes the settings into `.env`, as a user would while `dagster dev` runs."""
    settings = crm.settings() | {"SOURCES__CRM__API_KEY": key}
    lines = [f"{name}={value}" for name, value in settings.items()]
    (dev.project / ".env").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def crm(dev: DagsterDev) -> Iterator[ScriptedCrm]:
    """A CRM of one task."""
    with scripted_crm(lists={"open_tasks": [TASK]}) as crm:
        yield crm
    (dev.project / ".env").unlink()


@pytest.fixture(scope="module")
def refused(browser: BrowserContext, dev: DagsterDev, crm: ScriptedCrm) -> str:
    """The page of a run with a key that is not the CRM's."""
    configure(dev, crm, "mistyped-key")
    page = browser.new_page()
    page.goto(f"{dev.url}/assets/raw/open_tasks")
    page.get_by_role("button", name="Materialize").first.click()
    see_the_run(page)
    assert_ends(page, "Failure")
    url = page.url
    page.close()
    return url


def test_the_error_names_the_setting_and_shows_no_key(page: Page, refused: str) -> None:
    page.goto(refused)
    expect(page.get_by_text("open_tasks, page 1: status 401, 'Invalid key'").first).to_be_visible()
    expect(page.get_by_text("SOURCES__CRM__API_KEY").first).to_be_visible()
    assert "mistyped-key" not in page.content()


def test_same_run_succeeds_with_the_right_key(page: Page, dev: DagsterDev, crm: ScriptedCrm, refused: str) -> None:
    configure(dev, crm, KEY)
    page.goto(refused)
    page.get_by_role("button", name="Re-execute all").click()
    page.wait_for_url(lambda url: url != refused and "/runs/" in url)
    assert_ends(page, "Success")
    page.goto(f"{dev.url}/assets/raw/open_tasks")
    expect(page.get_by_text("Row count").locator("xpath=..")).to_contain_text("1")
