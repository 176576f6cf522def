"""A server before the storage of a configured lake, which answers some requests itself."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crm_assets.sandbox.server import serving


@contextmanager
def storage_proxy(refusal: Callable[[str], int | None]) -> Iterator[list[str]]:
    """Puts the server in the storage's place while the body runs.

    Args:
        refusal: Method of a request -> the status that it is answered with, or None if it is passed on.

    Yields:
        The methods of all requests that were passed on.
    """
    behind = os.environ["AWS_ENDPOINT_URL"]
    seen: list[str] = []

    async def answer(request: Request) -> Response:
        if status := refusal(request.method):
            return Response("", status)
        seen.append(request.method)
        url = f"{behind}{request.url.path}?{request.url.query}"
        passed_on = await run_in_threadpool(
            requests.request, request.method, url, data=await request.body(), headers=dict(request.headers), timeout=30
        )
        return Response(passed_on.content, passed_on.status_code, headers=dict(passed_on.headers))

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "HEAD", "PUT", "POST", "DELETE"])])
    with serving(app) as address, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        yield seen
