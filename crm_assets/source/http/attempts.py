"""An attempt of a request: its bounds, from looking up the host to the last byte, and the error if no answer comes.

The timeouts of `requests` apply to single socket operations: an answer that arrives a byte at a time never exceeds
them. They do not cover the name lookup, and restart for each address of the host. So connections here have a deadline.
They also count bytes before http.client and urllib3 do, which read lines of any length.

Errors without an answer come from the operating system, TLS or a proxy, and cannot hold a record. Only the first cause
is shown: the exceptions around it quote the request with its parameters.
"""

import io
import re
import socket
import ssl
import threading
import time
from concurrent.futures import Future, wait
from contextvars import ContextVar
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import Any

from requests import Response, exceptions
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError

from crm_assets.errors import ApiError, ApiRefusal, ApiUnavailable, BadAnswer
from crm_assets.settings import setting_name

MAX_ANSWER_BYTES = 64 * 2**20
"""A larger answer is treated as endless, compressed or not: to parse and load it takes over ten times the memory."""

CHUNK_BYTES = 2**20

NOT_COMPRESSED = "incorrect header check"
"""Of zlib, about a body that does not begin like a compressed one."""

WRONG_CHUNK = "the answer is not HTTP: a chunk has no valid size"

HEADER = re.compile(rb"(?:[!-9;-~]+:|[ \t])[^\r]*\r?\n")

INTERIM = range(102, 200)
"""Statuses after which the answer itself follows. 101 changes the protocol."""

_ENDS_AT: ContextVar[float] = ContextVar("_ENDS_AT")
"""When the attempt of this thread has to end, as monotonic seconds."""


def begin_attempt(seconds: float) -> None:
    """Lets requests of this thread through a `BoundedAdapter` share `seconds` from now on."""
    _ENDS_AT.set(time.monotonic() + seconds)


def body(response: Response) -> bytes:
    """The whole decoded body.

    Raises:
        BadAnswer: It is larger than `MAX_ANSWER_BYTES`, or not compressed although it says so.
        ApiUnavailable: It cannot be decompressed, or the size of a chunk is wrong. Of an error, the status says enough.
        requests.exceptions.ConnectionError: The attempt's seconds are over.
    """
    content = io.BytesIO()
    try:
        with response:
            for chunk in response.iter_content(CHUNK_BYTES):
                content.write(chunk)
                if content.tell() > MAX_ANSWER_BYTES:
                    raise _endless(content.tell())
    except exceptions.ContentDecodingError as error:
        if response.status_code == HTTPStatus.OK:
            if NOT_COMPRESSED in str(root_cause(error)):
                raise BadAnswer("the answer's body is not what its Content-Encoding says") from None
            raise broken("the answer's body is damaged: it cannot be decompressed") from None
    except ValueError:  # of http.client, about a negative size
        raise broken(WRONG_CHUNK) from None
    return content.getvalue()


def _seconds_left() -> float:
    """Raises TimeoutError if there are none."""
    seconds = _ENDS_AT.get() - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _endless(size: int) -> BadAnswer:
    return BadAnswer(
        f"the answer does not end: {size:,} bytes received so far. If its records are that large, set a smaller "
        f"{setting_name('per_page')}"
    )


class _Incoming(io.RawIOBase):
    """The bytes of one answer, as they come from a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._bytes: Any = sock.makefile("rb", buffering=0)  # keeps the socket open until the answer is closed
        self._timeout = sock.gettimeout()
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        seconds = _seconds_left()
        self._socket.settimeout(seconds if self._timeout is None else min(seconds, self._timeout))
        size = int(self._bytes.readinto(buffer))
        self._size += size
        if self._size > MAX_ANSWER_BYTES:
            raise _endless(self._size)
        return size

    def close(self) -> None:
        self._bytes.close()
        super().close()


class _Lines(io.BufferedReader):
    """Leaves out header lines that are none. http.client would take them, and all headers after them, for the body."""

    in_headers = False

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        while self.in_headers and line.strip() and line.endswith(b"\n") and not HEADER.fullmatch(line):
            line = super().readline(size)
        # A status line is followed by headers up to an empty line. Sizes of chunks and trailers are lines, too.
        self.in_headers = line.startswith(b"HTTP/") or (self.in_headers and bool(line.strip()))
        return line


class _Answer(HTTPResponse):
    """Reads everything through `_Incoming`: status, headers, body, trailers, and interim answers before them."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = _Lines(_Incoming(sock))

    def begin(self) -> None:
        """Skips interim answers. http.client skips 100 only, and takes others, such as 103, for the answer itself."""
        super().begin()
        while self.status in INTERIM:
            self.headers = self.msg = None  # type: ignore[assignment]  # as before the first line
            super().begin()


class _HttpConnection(HTTPConnection):
    response_class = _Answer

    def _new_conn(self) -> socket.socket:
        """Connects on a thread, since nothing else ends looking up a name. Connections are kept, so these are few."""
        connected: Future[socket.socket] = Future()

        def connect() -> None:
            try:
                connected.set_result(super(_HttpConnection, self)._new_conn())
            except BaseException as error:  # noqa: BLE001 - raised on the waiting thread
                connected.set_exception(error)

        threading.Thread(target=connect, name="crm-connect", daemon=True).start()
        if wait([connected], _seconds_left()).not_done:
            connected.add_done_callback(_close_late)
            raise ConnectTimeoutError(self, "the attempt's seconds are over")
        return connected.result()


def _close_late(connected: Future[socket.socket]) -> None:
    if not connected.exception():
        connected.result().close()


class _HttpsConnection(_HttpConnection, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


POOLS: dict[str, type] = {"http": _HttpPool, "https": _HttpsPool}


class BoundedAdapter(HTTPAdapter):
    """An adapter whose requests end in time, also through a proxy. They are sent after `begin_attempt`."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Makes the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> ProxyManager:
        """The pools of connections through a proxy."""
        manager: ProxyManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager


TRANSIENT_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""The TLS connection was dropped, as any connection can be."""

PROXY_ERRORS = (exceptions.ProxyError, exceptions.InvalidProxyURL, exceptions.InvalidSchema)
"""The last one means a SOCKS proxy, for which requests needs another package."""

BUSY_PROXY = re.compile(r"^Tunnel connection failed: (?:408|429|50[0234])\b")
"""Of http.client, about a proxy that does not reach the API now."""

CA_VARIABLES = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE"


def no_answer(error: OSError) -> ApiError:
    """The error for a request that got no answer: what happened, what to check, and whether another try may help."""
    root, address = root_cause(error), setting_name("base_url")
    reason = root.strerror if isinstance(root, OSError) and root.strerror else str(root).rstrip(".")
    may_recover = isinstance(error, (exceptions.ConnectionError, exceptions.ChunkedEncodingError))
    what, check = f"the request failed: {reason}", f"Check {address}, and the network of this machine"
    is_wrong_proxy = isinstance(error, exceptions.InvalidURL) and error.request is not None  # else it is the API's
    if is_wrong_proxy or isinstance(error, PROXY_ERRORS):
        may_recover = BUSY_PROXY.search(str(root)) is not None
        # The reason that requests gives may have the proxy's password.
        reason = "its address is not a URL with http or https" if is_wrong_proxy else reason
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
    elif not isinstance(root, OSError):  # whose reason says it; a closed connection is an HTTPException as well
        what = f"the connection failed ({type(error).__name__})"
        if isinstance(error, exceptions.ChunkedEncodingError):
            what = WRONG_CHUNK if "InvalidChunkLength" in str(error) else "the answer breaks off"
        elif isinstance(root, HTTPException):
            what = f"the answer is not HTTP ({type(root).__name__})"
    return (ApiUnavailable if may_recover else ApiRefusal)(f"{what}. {check}")


def broken(what: str) -> ApiUnavailable:
    """The error for an answer that breaks off or is damaged, although the connection was closed as usual."""
    return ApiUnavailable(f"{what}. Check {setting_name('base_url')}, and the network of this machine")


def root_cause(error: BaseException) -> BaseException:
    """The first exception in the chain of causes. dlt asks for a page while it handles a StopIteration."""
    while (cause := error.__cause__ or error.__context__) and not isinstance(cause, StopIteration):
        error = cause
    return error
