"""The sandbox's HTTP side: an ASGI application that answers as the CRM's API does."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crm_assets.sandbox.asking import query
from crm_assets.sandbox.errors import error
from crm_assets.sandbox.resources import RESOURCES, Resource
from crm_assets.sandbox.world import World

Clock: TypeAlias = Callable[[], datetime]
"""Tells the instant at which the CRM is looked at, with its time zone."""

KEY_HEADER = "api_key"
"""The request header that carries the API key."""

_Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def crm_app(world: World, *, api_key: str, clock: Clock) -> Starlette:
    """Serve a world's five lists.

    Args:
        world: The generated CRM.
        api_key: The key that every request must carry.
        clock: Asked once for each request.
    """

    async def listing(request: Request, resource: Resource) -> Response:
        if not secrets.compare_digest(request.headers.get(KEY_HEADER, "").encode(), api_key.encode()):
            raise HTTPException(HTTPStatus.UNAUTHORIZED, f"The header {KEY_HEADER} holds no valid API key.")
        try:
            wanted = query(request.query_params)
        except ValueError as refusal:
            raise HTTPException(HTTPStatus.BAD_REQUEST, str(refusal)) from refusal
        world.move(int(clock().timestamp()))
        return Response(world.answer(resource, wanted), media_type="application/json")

    def endpoint(resource: Resource) -> _Endpoint:
        return partial(listing, resource=resource)

    return Starlette(
        routes=[Route(resource.path, endpoint(resource)) for resource in RESOURCES],
        exception_handlers={HTTPException: _refusal},
    )


async def _refusal(request: Request, refusal: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    if not isinstance(refusal, HTTPException):
        raise refusal
    return error(refusal.status_code, refusal.detail, refusal.headers)
