"""Undocumented behaviour of dlt that the project uses. A failure names what an upgrade has changed."""

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.common import logger as dlt_logger
from dlt.common.jsonpath import compile_path
from dlt.common.normalizers.naming.snake_case import NamingConvention
from dlt.extract import DltSource
from dlt.sources.helpers.rest_client.paginators import BasePaginator
from dlt.sources.rest_api import rest_api_source
from requests import PreparedRequest, Request, Response, Session

from crm_assets.loading.landing import landing_pipeline
from crm_assets.source.crm_source import dlt_context
from crm_assets_tests.processes import completed

PAGES = (object(), object(), object())
"""What the API of these tests lists."""


class ProbeResponse(Response):
    """A page that never was on a network."""

    def __init__(self, page: object) -> None:
        super().__init__()
        self.status_code = 200
        self.page = page

    def json(self, **_: Any) -> Any:
        return {"people": [self.page]}


class ProbeSession(Session):
    """Answers from `PAGES`, and remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.prepared: list[PreparedRequest] = []
        self.sent: list[PreparedRequest] = []

    def prepare_request(self, request: Request) -> PreparedRequest:
        self.prepared.append(PreparedRequest())
        return self.prepared[-1]

    def send(self, request: PreparedRequest, **_: Any) -> Response:
        self.sent.append(request)
        return ProbeResponse(PAGES[len(self.sent) - 1])


class ProbePaginator(BasePaginator):
    """Goes on until the last page, and remembers all pages."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[object] = []

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        self.pages += data or []
        self._has_next_page = len(self.pages) < len(PAGES)

    def update_request(self, request: Request) -> None:
        pass


@dataclass
class Probe:
    """A list read by dlt, with all that took part in it."""

    session: ProbeSession = field(default_factory=ProbeSession)
    paginator: ProbePaginator = field(default_factory=ProbePaginator)
    steps: list[tuple[object, bool]] = field(default_factory=list)

    def source(self) -> DltSource:
        """The list as `rest_api` has it."""
        return rest_api_source(
            {
                "client": {"base_url": "https://crm.invalid", "session": self.session},
                "resources": [
                    {
                        "name": "people",
                        "endpoint": {"data_selector": compile_path("people"), "paginator": self.paginator},
                        "processing_steps": [{"yield_map": self.step}],
                    }
                ],
            }
        )

    def step(self, page: object) -> Iterator[dict[str, int]]:
        """A step of the resource, which remembers the page and whether the read goes on."""
        self.steps.append((page, self.paginator.has_next_page))
        yield {"id": len(self.steps)}


@pytest.fixture(scope="module")
def probe() -> Probe:
    """Read once for all tests that look at it."""
    probe = Probe()
    assert len(list(probe.source())) == len(PAGES)
    return probe


def test_dlt_passes_pages_as_they_are(probe: Probe) -> None:
    assert probe.paginator.pages == list(PAGES), (
        "dlt: the paginator no longer receives the only item of the list under a compiled data_selector"
    )
    assert probe.steps == list(zip(PAGES, (True, True, False), strict=True)), (
        "dlt: when a page reaches a processing step, its paginator no longer knows whether the read goes on"
    )


def test_dlt_uses_the_session_that_it_is_given(probe: Probe) -> None:
    assert len(probe.session.sent) == len(PAGES), (
        "dlt: RESTClient no longer calls send of the session that rest_api is given once a page"
    )
    assert probe.session.sent == probe.session.prepared, (
        "dlt: RESTClient no longer sends what the session's prepare_request returned"
    )


@pytest.mark.parametrize(
    ("key", "column"),
    [
        ("Name", "name"),
        ("fooBar", "foo_bar"),
        ("HTTPCode", "http_code"),
        ("2nd", "_2nd"),
        ("a__b", "a__b"),
        ("x-y.z", "x_y_z"),
        ("größe", "gr_e"),
        ("trailing_", "trailingx"),
        ("  ", ""),
    ],
)
def test_dlt_names_columns_as_before(key: str, column: str) -> None:
    named = NamingConvention().normalize_path(key)
    assert named == column, f"dlt: snake case makes {named!r} of {key!r}: stored columns are called {column!r}"


@pytest.mark.long
def test_dlt_makes_no_context_before_one_is_needed(tmp_path: Path) -> None:
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text("not TOML", encoding="utf-8")
    code = "import crm_assets.definitions, dlt"
    done = completed([sys.executable, "-c", code], cwd=tmp_path)
    assert done.returncode == 0, f"dlt: it reads the working folder's files when it is imported: {done.stderr[-2000:]}"


def test_dlt_asks_a_run_context_for_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("NORMALIZE__WORKERS=3", encoding="utf-8")
    with dlt_context():
        assert dlt.config["normalize.workers"] == 3, "dlt: a run context's initial_providers are no longer asked"
        assert dlt.config["runtime.dlthub_telemetry"] is False
    (tmp_path / ".env").unlink()
    with dlt_context():
        assert dlt.config.get("normalize.workers") is None, "dlt: the context before is not put back"


def test_dlt_logs_to_the_logger_that_is_silenced(tmp_path: Path) -> None:
    seen: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("dlt").addHandler(handler)
    try:
        with landing_pipeline("accounts", tmp_path):
            dlt_logger.error("while a resource is read")
        dlt_logger.error("afterwards")
    finally:
        logging.getLogger("dlt").removeHandler(handler)
    assert seen == ["afterwards"], f"dlt: its messages no longer come from the logger named dlt itself: {seen}"
