"""Errors in answers with status 200: some APIs and gateways write them into the body only."""

from collections.abc import Iterator
from typing import Any

ERROR_KEYS = ("errors", "error")
FAULT_KEYS = ("errorMessage", "errorType", "errorCode", "error_message", "error_code", "error_description", "fault")
"""Keys of gateways' errors. They count only in an answer without a list."""

SUCCESS_KEYS = ("success", "ok")
CODE_KEYS = ("code", "status", "status_code", "statusCode", "error_code", "errorCode")
MESSAGE_KEYS = ("errors", "error", "message", "detail", "error_description", "errorMessage", "faultstring", "fault")

FAILED = frozenset({"error", "errors", "fail", "failed", "failure"})
NOTHING = frozenset({"", "0", "false", "none", "null", "ok", "success"})
"""Texts of an `error` that say that there is none."""

FIRST_CODE = 400
"""The smallest code of an error. APIs also have codes of their own, beyond those of HTTP."""


def stated_error(body: Any, data_selector: str, per_page: int) -> int | None:
    """The code of the error that a body with status 200 states.

    A list as long as was asked for is whole, whatever else the answer says.

    Args:
        body: The parsed answer.
        data_selector: The key of the list.
        per_page: How many records were asked for.

    Returns:
        A number of at least 400; 0 for an error without a code; None if the body states no error.
    """
    if not isinstance(body, dict):
        return None
    records = body.get(data_selector)
    if isinstance(records, list) and len(records) >= per_page:
        return None
    status = body.get("status")
    code = max(_codes(body), default=0)
    failed = (
        code >= FIRST_CODE
        or (isinstance(status, str) and status.lower() in FAILED)
        or any(body.get(key) is False or body.get(key) == "false" for key in SUCCESS_KEYS)
        or any(_is_error(body.get(key)) for key in (*ERROR_KEYS, *(FAULT_KEYS if records is None else ())))
    )
    return (code if code >= FIRST_CODE else 0) if failed else None


def texts(body: Any) -> Iterator[str]:
    """The messages of an error's body, in any known form."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, list):
        for part in body:
            yield from texts(part)
    elif isinstance(body, dict):
        for key in MESSAGE_KEYS:
            yield from texts(body.get(key))


def _codes(body: Any) -> Iterator[int]:
    """The numbers under `code` and its like, also within `errors` and `error`."""
    if isinstance(body, list):
        for part in body:
            yield from _codes(part)
    elif isinstance(body, dict):
        for key in CODE_KEYS:
            value = body.get(key)
            if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len("12345"):
                value = int(value)
            if type(value) is int:
                yield value
        for key in ERROR_KEYS:
            yield from _codes(body.get(key))


def _is_error(value: Any) -> bool:
    """Whether the value of `error` or `errors` is one: not empty at any depth, and without a code of success."""
    if isinstance(value, dict):
        codes = list(_codes(value))
        return any(map(_is_error, value.values())) and not (codes and max(codes) < FIRST_CODE)
    if isinstance(value, list):
        return any(map(_is_error, value))
    return value.strip().lower() not in NOTHING if isinstance(value, str) else bool(value)
