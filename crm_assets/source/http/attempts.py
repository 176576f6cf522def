"""One attempt at one request: let through by the traffic control, counted, and read to its end within limits."""

import threading
import time
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from crm_assets.source.errors import BadAnswer
from crm_assets.source.http.limits import Traffic
from crm_assets.source.reading.report import ReadReport

MAX_BODY_BYTES = 256 * 2**20
"""A body larger than this is taken for one without end."""

MAX_BODY_SECONDS = 300.0
"""A body that still comes in after this time is taken for one without end."""

CHUNK_BYTES = 2**16
OK = 200
TOO_MANY_REQUESTS = 429

_leaving = threading.local()
"""`written`: what a thread calls once its request is written."""


class _TellsWhenWritten(HTTPConnection):
    def endheaders(self, *args: Any, **kwargs: Any) -> None:
        super().endheaders(*args, **kwargs)
        _leaving.written()


class _TellsWhenWrittenTls(_TellsWhenWritten, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _TellsWhenWritten


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TellsWhenWrittenTls


class AttemptAdapter(HTTPAdapter):
    """The transport adapter below dlt's retries, so that every attempt passes here."""

    def __init__(self, report: ReadReport, traffic: Traffic, backoff_factor: float, pool_size: int) -> None:
        """Keeps up to `pool_size` connections open. `backoff_factor` is in seconds."""
        super().__init__(pool_connections=1, pool_maxsize=pool_size)
        self._report = report
        self._traffic = traffic
        self._backoff_factor = backoff_factor
        self._counting = threading.Lock()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Sets up connections that tell when a request is written."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Sends once, and reads the whole answer while the request still counts as in flight.

        Raises:
            BadAnswer: The body does not end.
        """
        # A retry sends the same prepared request again.
        earlier = getattr(request, "attempts", 0)
        request.attempts = earlier + 1  # type: ignore[attr-defined]
        with self._traffic.passage(getattr(request, "place", None)) as _leaving.written:
            with self._counting:
                self._report.requests += 1
                self._report.retries += earlier > 0
            response = super().send(request, *args, **{**kwargs, "stream": True})
            _read_body(response)
        if response.status_code == OK:
            self._traffic.succeeded(response.headers)
        elif response.status_code == TOO_MANY_REQUESTS:
            self._traffic.throttled(response.headers, self._backoff_factor * 2**earlier)
        return response


def _read_body(response: Response) -> None:
    """Reads the body as requests itself would, but not for ever."""
    chunks: list[bytes] = []
    size = 0
    give_up_at = time.monotonic() + MAX_BODY_SECONDS
    for chunk in response.iter_content(CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY_BYTES or time.monotonic() > give_up_at:
            response.close()
            raise BadAnswer(f"the answer does not end: {size:,} bytes came in so far")
    response._content = b"".join(chunks)  # noqa: SLF001 - where requests keeps a body it has read
    response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001
