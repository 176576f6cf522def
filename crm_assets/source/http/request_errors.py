"""Errors of requests without an answer, and those that answers with status 200 state in their body only.

Those without an answer come from the operating system, TLS or a proxy, and cannot hold a record. Only the first
cause is shown: the exceptions around it quote the request with its parameters.
"""

import re
import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any

from requests import exceptions

from crm_assets.errors import ApiError, ApiRefusal, ApiUnavailable
from crm_assets.settings import setting_name

TRANSIENT_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""The TLS connection was dropped, as any connection can be."""

PROXY_ERRORS = (exceptions.ProxyError, exceptions.InvalidProxyURL, exceptions.InvalidSchema)
"""The last one means a SOCKS proxy, for which requests needs another package."""

BUSY_PROXY = re.compile(r"^Tunnel connection failed: (?:408|429|50[0234])\b")
"""Of http.client, about a proxy that does not reach the API now."""

CA_VARIABLES = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE"


def root_cause(error: BaseException) -> BaseException:
    """The first exception in the chain of causes."""
    while cause := (error.__cause__ or error.__context__):
        error = cause
    return error


def broken(what: str) -> ApiUnavailable:
    """The error for an answer that breaks off or is damaged, although the connection was closed as usual."""
    return ApiUnavailable(f"{what}. Check {setting_name('base_url')}, and the network of this machine")


def no_answer(error: OSError) -> ApiError:
    """The error for a request that got no answer: what happened, what to check, and whether another try may help."""
    root, address = root_cause(error), setting_name("base_url")
    reason = root.strerror if isinstance(root, OSError) and root.strerror else str(root).rstrip(".")
    may_recover = isinstance(error, (exceptions.ConnectionError, exceptions.ChunkedEncodingError))
    what, check = f"the request failed: {reason}", f"Check {address}, and the network of this machine"
    if isinstance(error, PROXY_ERRORS):
        may_recover = BUSY_PROXY.search(str(root)) is not None
        what = f"the proxy cannot be used: {reason}"
        check = "Check HTTPS_PROXY and HTTP_PROXY; NO_PROXY lists hosts that are asked without one"
    elif isinstance(error, exceptions.SSLError):
        may_recover = isinstance(root, TRANSIENT_TLS)
        what = f"TLS failed: {reason}"
        check = f"Check that {address} is an address with https, and the file that {CA_VARIABLES} names, if any"
        if isinstance(root, ssl.SSLCertVerificationError):
            check = (
                f"Check that {address} has the name that is in the certificate. If your network has a certificate "
                f"authority of its own, let {CA_VARIABLES} name a file with its certificate"
            )
    elif isinstance(root, socket.gaierror):
        may_recover = root.errno == socket.EAI_AGAIN
        what = f"the host name cannot be resolved: {reason}"
    elif isinstance(error, exceptions.Timeout) or isinstance(root, TimeoutError):
        may_recover = True
        what = "no answer in time"
        check += f". {setting_name('request_timeout')} and {setting_name('request_deadline')} say how long to wait"
    elif not isinstance(error, exceptions.RequestException):
        check = f"Check the file that {CA_VARIABLES} names"
    elif isinstance(root, HTTPException) and not isinstance(error, exceptions.ChunkedEncodingError):
        what = f"the answer is not HTTP ({type(root).__name__})"
    elif not isinstance(root, OSError):
        is_broken = isinstance(error, exceptions.ChunkedEncodingError)
        what = "the answer breaks off" if is_broken else f"the connection failed ({type(error).__name__})"
    return (ApiUnavailable if may_recover else ApiRefusal)(f"{what}. {check}")


ERROR_KEYS = ("errors", "error")
FAULT_KEYS = ("errorMessage", "errorType", "errorCode", "error_message", "error_code", "error_description", "fault")
"""Keys of gateways' errors. They count only in an answer without a list."""

SUCCESS_KEYS = ("success", "ok")
STATING_KEYS = (*SUCCESS_KEYS, "status", "message")
CODE_KEYS = ("code", "status", "status_code", "statusCode", "error_code", "errorCode")
MESSAGE_KEYS = ("errors", "error", "message", "detail", "error_description", "errorMessage", "faultstring", "fault")

FAILED = frozenset({"error", "errors", "fail", "failed", "failure", "false"})
SUCCEEDED = frozenset({"ok", "success", "successful", "succeeded", "true"})
NOTHING = frozenset({"", "0", "false", "none", "null", "ok", "success", "no error", "no errors"})
"""Texts of an `error` that say that there is none."""

FIRST_CODE, FIRST_OWN_CODE = 400, 600
"""The smallest code of an error, and of those beyond HTTP's that an API has of its own, which may mean success."""


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
    code = max(_codes(body), default=0)
    failed = (
        code >= FIRST_CODE
        or _word(body, "status") in FAILED
        or any(_word(body, key) in FAILED | {"0"} for key in SUCCESS_KEYS)
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
    """The numbers under `code` and its like, also within `errors` and `error`; 0 for an API's own code of success."""
    if isinstance(body, list):
        for part in body:
            yield from _codes(part)
    elif isinstance(body, dict):
        for key in CODE_KEYS:
            value = body.get(key)
            if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len("12345"):
                value = int(value)
            if type(value) is int:
                is_success = value >= FIRST_OWN_CODE and any(_word(body, key) in SUCCEEDED for key in STATING_KEYS)
                yield 0 if is_success else value
        for key in ERROR_KEYS:
            yield from _codes(body.get(key))


def _word(body: dict[str, Any], key: str) -> str:
    """The text, number or boolean under a key, in lower case."""
    value = body.get(key)
    return str(value).strip().lower() if isinstance(value, (str, int)) else ""


def _is_error(value: Any) -> bool:
    """Whether the value of `error` or `errors` is one: not empty at any depth, and without a code of success."""
    if isinstance(value, dict):
        codes = list(_codes(value))
        return any(map(_is_error, value.values())) and not (codes and max(codes) < FIRST_CODE)
    if isinstance(value, list):
        return any(map(_is_error, value))
    return value.strip().lower() not in NOTHING if isinstance(value, str) else bool(value)
