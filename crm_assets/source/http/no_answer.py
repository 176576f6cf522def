"""Errors for requests that got no answer: whether a retry can help, and what to do.

They come from the operating system, TLS or a proxy, and cannot hold a record. Only the root_cause cause is shown: the
exceptions around it quote the request with its parameters.
"""

import socket
import ssl

from requests import exceptions

from crm_assets.errors import ApiError, ApiRefusal, ApiUnavailable
from crm_assets.settings import setting_name

TRANSIENT_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""The TLS connection was dropped, as any connection can be."""

PROXY_ERRORS = (exceptions.ProxyError, exceptions.InvalidProxyURL, exceptions.InvalidSchema)
"""The last one means a SOCKS proxy, for which requests needs another package."""

CA_VARIABLES = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE"


class TruncatedBody(exceptions.ConnectionError):
    """The answer ended in the middle, although the connection was closed as usual. The message says where."""


def may_recover(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    cause = root_cause(error)
    if isinstance(error, exceptions.ProxyError):
        return False
    if isinstance(error, exceptions.SSLError):
        return isinstance(cause, TRANSIENT_TLS)
    if isinstance(cause, socket.gaierror):
        return cause.errno == socket.EAI_AGAIN
    return isinstance(error, (exceptions.ConnectionError, exceptions.Timeout, exceptions.ChunkedEncodingError))


def root_cause(error: BaseException) -> BaseException:
    """The first exception in the chain of causes."""
    while cause := (error.__cause__ or error.__context__):
        error = cause
    return error


def no_answer(where: str, error: OSError, attempts: int) -> ApiError:
    """The error for a request that got no answer. `attempts`: how often a request is tried if a retry can help."""
    kind = ApiUnavailable if may_recover(error) else ApiRefusal
    retried = ", with every retry" if kind is ApiUnavailable and attempts > 1 else ""
    what_happened = str(error) if isinstance(error, TruncatedBody) else _reason(error)
    return kind(f"{where}: {what_happened}{retried}. {_advice(error)}")


def _reason(error: OSError) -> str:
    cause = root_cause(error)
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause).rstrip(".")
    if isinstance(error, exceptions.Timeout) or isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(error, exceptions.ProxyError):
        return f"the proxy refused the request: {reason}"
    if isinstance(cause, socket.gaierror):
        return f"the host name cannot be resolved: {reason}"
    if isinstance(error, exceptions.SSLError):
        return f"TLS failed: {reason}"
    if isinstance(error, exceptions.RequestException) and not isinstance(cause, OSError):
        return f"the connection failed ({type(error).__name__})"
    return f"the request failed: {reason}"


def _advice(error: OSError) -> str:
    address, cause = setting_name("base_url"), root_cause(error)
    if isinstance(error, PROXY_ERRORS):
        return "Check HTTPS_PROXY and HTTP_PROXY; NO_PROXY lists hosts that are asked without one"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"Check that {address} has the name that is in the certificate. If your network has a certificate "
            f"authority of its own, let {CA_VARIABLES} name a file with its certificate"
        )
    if isinstance(error, exceptions.SSLError):
        return f"Check that {address} is an address with https, and the file that {CA_VARIABLES} names, if any"
    if not isinstance(error, exceptions.RequestException):
        return f"Check the file that {CA_VARIABLES} names"
    if isinstance(error, exceptions.Timeout) or isinstance(cause, TimeoutError):
        limits = f"{setting_name('request_timeout')} and {setting_name('request_deadline')}"
        return f"Check {address}, and the network of this machine. {limits} say how long to wait"
    return f"Check {address}, and the network of this machine"
