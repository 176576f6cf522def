"""Undocumented behaviour of libraries that the project uses: one test each, which names what an upgrade has changed.

What each is used for is in `source/dlt_internals.py`, `dagster_internals.py` and `warehouse/duckdb_messages.py`.
"""

import logging
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest
from dagster import (
    AssetCheckResult,
    AssetKey,
    AssetsDefinition,
    DagsterInstance,
    DataVersion,
    MaterializeResult,
    asset,
    asset_check,
    job,
    materialize,
    op,
)
from dlt.common import logger as dlt_logger
from dlt.common.jsonpath import compile_path
from dlt.extract import DltSource
from dlt.sources.helpers.rest_client.paginators import BasePaginator
from dlt.sources.rest_api import rest_api_source
from requests import PreparedRequest, Request, Response, Session

from crm_assets.api import ENDPOINTS
from crm_assets.assets.raw import RawTranslator
from crm_assets.dagster_internals import FailuresOnly, delete_run, dlt_specs, is_built_from
from crm_assets.loading.landing import landing_pipeline
from crm_assets.settings import Crm
from crm_assets.source.crm_source import declared_source
from crm_assets.source.dlt_context import DefaultsContext, ProjectContext, dlt_context
from crm_assets.source.dlt_internals import NamingConvention
from crm_assets.warehouse.duckdb_messages import (
    is_about_missing_table,
    line,
    lock_holder,
    reason,
)

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


@pytest.mark.slow
def test_dlt_makes_no_context_before_one_is_needed(tmp_path: Path) -> None:
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text("not TOML", encoding="utf-8")
    code = "import crm_assets.definitions, dlt"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"dlt: it reads the working folder's files when it is imported: {done.stderr[-2000:]}"


def test_dlt_asks_a_run_context_for_its_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("NORMALIZE__WORKERS=3", encoding="utf-8")
    with dlt_context(ProjectContext()):
        assert dlt.config["normalize.workers"] == 3, "dlt: a run context's initial_providers are no longer asked"
        assert dlt.config["runtime.dlthub_telemetry"] is False
    with dlt_context(DefaultsContext()):
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


@contextmanager
def attempts(error: Callable[[], BaseException]) -> Iterator[list[int]]:
    """How often Dagster starts an op with one more try, if it ends with this error."""
    made: list[int] = []

    @op(retry_policy=FailuresOnly(max_retries=1))
    def failing() -> None:
        made.append(len(made) + 1)
        raise error()

    @job
    def alone() -> None:
        failing()

    try:
        with DagsterInstance.ephemeral() as instance:
            alone.execute_in_process(instance=instance, raise_on_error=False)
    except KeyboardInterrupt:
        pass
    yield made


def test_dagster_asks_for_a_delay_inside_the_except_block() -> None:
    with attempts(lambda: ValueError("a failure")) as made:
        assert made == [1, 2], "Dagster: calculate_delay of a policy derived from RetryPolicy no longer decides"
    with attempts(KeyboardInterrupt) as made:
        assert made == [1], (
            "Dagster: an op that was interrupted is tried again, since calculate_delay of its retry policy is no "
            "longer called in the except block of the interrupt"
        )


def test_dagster_dlt_makes_specs_without_a_pipeline() -> None:
    specs = list(dlt_specs(declared_source(), RawTranslator(Crm())))
    assert [spec.key for spec in specs] == [AssetKey(["raw", resource]) for resource in ENDPOINTS], (
        "dagster-dlt: build_dlt_asset_specs no longer makes a spec of each resource where the pipeline is None"
    )
    kept = {name for spec in specs for name in spec.metadata if not name.startswith("dagster/")}
    assert not kept, f"dagster-dlt: specs keep {kept}, and with it the whole source"


def source_and_model(source: str, code: str = "1") -> list[AssetsDefinition]:
    """An asset of a data version, and one that is built from it."""

    @asset(name="source")
    def loaded() -> MaterializeResult:  # type: ignore[type-arg]
        return MaterializeResult(data_version=DataVersion(source))

    @asset(name="model", deps=[loaded], code_version=code)
    def built() -> None:
        pass

    return [loaded, built]


def test_dagster_tags_materializations_with_versions() -> None:
    source, model = AssetKey("source"), AssetKey("model")
    with DagsterInstance.ephemeral() as instance:

        def is_current(code: str) -> bool:
            [read, made] = [instance.get_latest_materialization_event(key) for key in (source, model)]
            return is_built_from(made, code, {source: read} if read else {})

        assert not is_current("1")
        materialize(source_and_model("1"), instance=instance)
        assert is_current("1"), "Dagster: a materialization has no tags any more with the versions it was built from"
        assert not is_current("2"), "Dagster: a materialization has no tag any more with its code's version"
        materialize(source_and_model("2"), selection=["source"], instance=instance)
        assert not is_current("1"), "Dagster: a materialization has no tag any more with its data version"


def test_dagster_keeps_all_about_a_run_where_it_is_deleted(tmp_path: Path) -> None:
    @asset_check(asset="source")
    def looks_well() -> AssetCheckResult:
        return AssetCheckResult(passed=True)

    def everything() -> str:
        dumps = [line for path in tmp_path.rglob("*.db") for line in sqlite3.connect(path).iterdump()]
        return "\n".join([*dumps, *map(str, tmp_path.rglob("*"))])

    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        first, latest = (materialize([*source_and_model("1"), looks_well], instance=instance).run_id for _ in range(2))
        assert first in everything()
        delete_run(instance, first)
        assert latest in everything()
        assert first not in everything(), "Dagster: it keeps something about a run in another place, too"


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory."""
    with duckdb.connect() as connection:
        yield connection


def refused(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Error:
    """How DuckDB refuses a statement."""
    with pytest.raises(duckdb.Error) as raised:
        connection.execute(sql)
    return raised.value


def test_duckdb_says_who_has_the_file_open(tmp_path: Path) -> None:
    database = tmp_path / "crm.duckdb"
    code = f"import duckdb; held = duckdb.connect({str(database)!r}); print('held', flush=True); input()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(duckdb.IOException) as raised:
            duckdb.connect(str(database))
        process.kill()
    holder = lock_holder(raised.value)
    assert holder is not None, f"DuckDB: a file that another process has open is refused in other words: {raised.value}"
    assert str(process.pid) in holder, f"DuckDB: who has the file open is said in other words: {raised.value}"
    assert "\n" not in holder, f"DuckDB: the sentence about who has the file open ends otherwise: {raised.value}"
    assert "See" not in holder, f"DuckDB: the sentence about who has the file open ends otherwise: {raised.value}"


def test_duckdb_points_at_the_line(connection: duckdb.DuckDBPyConnection) -> None:
    error = refused(connection, "select\n    1,\n    nonsense")
    assert line(error) == 3, f"DuckDB: the line of an error is worded differently: {error}"
    assert "nonsense" in reason(error), f"DuckDB: the reason no longer stands before the line: {error}"
    assert "LINE" not in reason(error), f"DuckDB: the line of an error is worded differently: {error}"


@pytest.mark.parametrize("table", ["nowhere", "no_schema.nowhere"])
def test_duckdb_says_that_a_table_is_missing(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    error = refused(connection, f"from {table}")
    assert is_about_missing_table(error), f"DuckDB: a missing table or schema is worded differently: {error}"
    assert not is_about_missing_table(refused(connection, "select nonsense"))


SENT = ["Good1", "Good2", "Good3"]


def texts_after_a_failed_commit(database: Path, *, reopen: bool) -> list[str]:
    """Stores three short texts, and in a second transaction replaces them with the same and adds one of 6 MB.

    Its first attempt has too little memory, the second has enough.
    """
    sent = f"select unnest([1, 2, 3]) as id, unnest({SENT}) as text"
    more = ", ".join(f"null::varchar as column_{n}" for n in range(10))
    long_text = "select 4 as id, repeat('A', 6_000_000) as text"
    connection = duckdb.connect(str(database))
    connection.execute(f"create table t as {sent}, {more}")
    connection.close()

    def replace_all() -> None:
        connection.begin()
        connection.execute("delete from t")
        connection.execute(f"insert into t by name {sent}")
        connection.execute(f"insert into t by name {long_text}")
        connection.commit()

    connection = duckdb.connect(str(database))
    connection.execute("set memory_limit = '16MiB'; set threads = 1; set preserve_insertion_order = false")
    with suppress(duckdb.Error):
        replace_all()
        return SENT  # this version can do it with less memory
    if reopen:
        connection.close()
        connection = duckdb.connect(str(database))
    else:
        connection.execute("set memory_limit = '4GiB'")
        with suppress(duckdb.Error):
            connection.rollback()
    replace_all()
    connection.close()
    with duckdb.connect(str(database)) as connection:
        return [text for (text,) in connection.execute("select text from t where id < 4 order by id").fetchall()]


def test_duckdb_keeps_texts_if_reopened_after_a_failed_commit(tmp_path: Path) -> None:
    assert texts_after_a_failed_commit(tmp_path / "reopened.duckdb", reopen=True) == SENT
    mixed_up = texts_after_a_failed_commit(tmp_path / "same_instance.duckdb", reopen=False) != SENT
    assert mixed_up == (duckdb.__version__ < "2"), (
        f"DuckDB {duckdb.__version__}: whether a failed commit mixes up texts has changed. Once pyproject.toml allows "
        "no version with this fault, warehouse/reconnecting.py is not needed for it"
    )
