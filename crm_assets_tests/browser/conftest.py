"""One `dagster dev` and one browser for all tests here, and screenshots."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect, sync_playwright

from crm_assets_tests.browser.runs import assert_success, see_the_run
from crm_assets_tests.dagster_dev import DagsterDev, dagster_dev

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""For root, without a display, and so that the browser itself asks nobody for anything."""

PATIENCE = 120
"""Seconds that a page may take to show something: a machine under load is slow, not broken."""

expect.set_options(timeout=PATIENCE * 1000)

Photographer = Callable[..., None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", type=Path, help="the folder to keep pictures of the UI in, for the documentation")


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterDev]:
    """`dagster dev` with the bundled sandbox, whose reports are served."""
    project = tmp_path_factory.mktemp("crm_assets")
    with serving(project / "data" / "reports") as reports:
        (project / ".env").write_text(f"CRM_REPORTS_URL={reports}", encoding="utf-8")
        with dagster_dev(project) as running:
            yield running


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A web server of a folder's files, as docs/sales_review.md starts one: its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[BrowserContext]:
    """Chromium with an empty profile, which reaches this machine and no other."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no browser: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        context = running.new_context(color_scheme="light", timezone_id="UTC", service_workers="block")
        context.set_default_timeout(PATIENCE * 1000)
        context.route("**/*", _on_this_machine)
        yield context
        running.close()


def _on_this_machine(route: Route) -> None:
    if route.request.url.startswith(("http://127.0.0.1:", "file:", "data:", "blob:")):
        route.continue_()
    else:
        route.abort()


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    """A window of its own."""
    page = browser.new_page()
    page.set_viewport_size({"width": 1500, "height": 800})
    yield page
    page.close()


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Photographer:
    """Keeps a picture of a page or of a part of it, if pictures are asked for."""
    folder: Path | None = request.config.getoption("--pictures")

    def take(of: Page | Locator, name: str) -> None:
        if folder is not None:
            of.screenshot(path=request.config.invocation_params.dir / folder / f"{name}.png", animations="disabled")

    return take


@pytest.fixture(scope="session")
def all_materialized(browser: BrowserContext, dev: DagsterDev) -> str:
    """The page of a run that a click on *Materialize all* has started, after its end."""
    page = browser.new_page()
    page.goto(f"{dev.url}/asset-groups")
    page.get_by_role("button", name="Materialize all").click()
    see_the_run(page)
    assert_success(page)
    url = page.url
    page.close()
    return url
