"""Faults of a lake's object storage: those that can pass are retried, others are reported."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest
import requests
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crm_assets.loading.load import NARROW
from crm_assets.sandbox.server import serving
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import configured_crm, materialize, tasks
from crm_assets_tests.warehouse.statements import read

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("lake")]

MORE_THAN_DUCKDB_TRIES = 12
"""DuckDB sends a request at most eight times."""


@contextmanager
def storage_that_answers(status: int, *, times: int | None = None) -> Iterator[None]:
    """Puts a server before the lake's storage that answers writes with a status, `times` times or always."""
    behind, answered = os.environ["AWS_ENDPOINT_URL"], count(1)

    async def answer(request: Request) -> Response:
        if request.method in {"PUT", "POST"} and (times is None or next(answered) <= times):
            return Response("", status)
        body = await request.body()
        url = f"{behind}{request.url.path}?{request.url.query}"
        passed_on = await run_in_threadpool(
            requests.request, request.method, url, data=body, headers=dict(request.headers), timeout=30
        )
        return Response(passed_on.content, passed_on.status_code, headers=dict(passed_on.headers))

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "HEAD", "PUT", "POST", "DELETE"])])
    with serving(app) as address, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        yield


def test_a_storage_that_fails_for_a_while_is_tried_again() -> None:
    with configured_crm(lists={"open_tasks": tasks(70)}):
        with storage_that_answers(503, times=MORE_THAN_DUCKDB_TRIES):
            run = materialize("open_tasks")
        assert run.success
        assert run.attempts("open_tasks") > 1
        assert read("select count(*), count(distinct id) from raw.open_tasks") == [(70, 70)]


def test_a_storage_that_refuses_is_not_tried_again_and_named() -> None:
    with configured_crm(lists={"open_tasks": tasks(70)}), storage_that_answers(403):
        run = materialize("open_tasks")
    assert run.attempts("open_tasks") == 1
    assert "403" in run.failure("open_tasks")
    assert "CRM_WAREHOUSE_FILES" in run.failure("open_tasks")


@pytest.mark.parametrize("is_older", [False, True], ids=["a new lake", "an older lake, maintained"])
def test_many_rows_are_written_in_the_memory_of_a_load(*, is_older: bool) -> None:
    warehouse = Warehouse()
    assert warehouse.lake is not None
    if is_older:
        with warehouse.get_connection() as connection:
            connection.execute("call lake.set_option('parquet_row_group_size', 122880)")
        warehouse.lake.maintain()
    columns = ", ".join(f"'column {number} of row ' || i as text_{number}" for number in range(40))
    with warehouse.get_connection() as connection:
        connection.execute(NARROW)
        connection.execute(f"create table wide as select i, {columns} from range(150_000) as rows(i)")
        assert connection.execute("select count(*) from wide").fetchall() == [(150_000,)]
