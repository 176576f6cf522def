"""Runs as the UI shows them."""

import re

from playwright.sync_api import Page, expect

LONGEST = 240
"""Seconds that a run of all assets may take on a machine under load."""


def see_the_run(page: Page) -> None:
    """Follows the notice about a run that was launched."""
    page.get_by_role("listitem").filter(has_text="Launched run").get_by_role("link", name="View").click()
    page.wait_for_url("**/runs/*")


def assert_ends(page: Page, status: str) -> None:
    """Waits for the end of the run on this page, which has to be this one."""
    end = page.get_by_text(re.compile("^(Success|Failure|Canceled)$")).first
    end.wait_for(timeout=LONGEST * 1000)
    expect(end).to_have_text(status)


def assert_success(page: Page) -> None:
    assert_ends(page, "Success")
