"""The body of an answer that refuses."""

from collections.abc import Mapping

from starlette.responses import JSONResponse


def error(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Make an answer with an error as the API words them."""
    return JSONResponse({"errors": {"code": status, "message": [message]}}, status, headers)
