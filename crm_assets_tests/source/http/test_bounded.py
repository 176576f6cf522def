"""Every attempt ends at its deadline, and no answer takes more bytes than it may."""

import gzip
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain, repeat

import pytest

from crm_assets.errors import ApiUnavailable, BadAnswer
from crm_assets.source.http import attempts, session
from crm_assets_tests.raw_server import server
from crm_assets_tests.scripted_crm import KEY
from crm_assets_tests.source.source_reads import read

STATUS = b"HTTP/1.1 200 OK\r\n"
CHUNKED = STATUS + b"Transfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b'd\r\n{"tasks": []}\r\n0\r\n'

SLOW: dict[str, tuple[bytes, bytes]] = {
    "a body of ten million bytes": (STATUS + b"Content-Length: 10000000\r\n\r\n", b" "),
    "a body without a length": (STATUS + b"\r\n", b" "),
    "a status line": (b"", b"H"),
    "a header without end": (STATUS + b"X-Long: ", b"x"),
    "headers without end": (STATUS, b"X: 1\r\n"),
    "a chunk's length": (CHUNKED, b"0"),
    "chunk extensions": (CHUNKED + b"d", b";a=b"),
    "trailers": (CHUNKED + LAST_CHUNK, b"X: 1\r\n"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "nothing": (b"", b""),
}
"""What does not end -> how the answer begins, and what then comes again and again."""


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__API_KEY", KEY)
    monkeypatch.setenv("SOURCES__CRM__REQUEST_BACKOFF_FACTOR", "0")
    monkeypatch.setenv("SOURCES__CRM__REQUEST_MAX_ATTEMPTS", "2")
    monkeypatch.setenv("SOURCES__CRM__REQUEST_DEADLINE", "0.2")


def sending(pieces: Callable[[], Iterator[bytes]], pause: float = 0) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.settimeout(5)
        connection.recv(100_000)
        for piece in pieces():
            connection.sendall(piece)
            time.sleep(pause)

    return answer


@pytest.mark.slow
@pytest.mark.parametrize(("begin", "again"), SLOW.values(), ids=SLOW)
def test_an_attempt_ends_at_its_deadline(begin: bytes, again: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = sending(lambda: chain([begin], repeat(again, 100)), pause=0.02)
    with server(answer) as (port, _):
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(ApiUnavailable, match=r"page 1: no answer in time.*REQUEST_DEADLINE.*Every retry"):
            read()


@pytest.mark.slow
def test_a_later_page_that_ends_at_its_deadline_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """dlt asks for it while it handles an exception, which is not the cause."""
    first = b'{"tasks": [{"id": 1}], "meta": {"total": 2}}'
    pages = iter([[STATUS + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(first) + first]])
    head = STATUS + b"Content-Length: 99\r\n\r\n"
    monkeypatch.setattr(session, "MIN_SECONDS_TO_PREFETCH", 60)
    with server(sending(lambda: iter(next(pages, [head, *[b" "] * 30])), pause=0.02)) as (port, _):
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(ApiUnavailable, match=r"page 2: no answer in time.*REQUEST_DEADLINE"):
            read()


def test_a_tunnel_that_does_not_open_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(sending(lambda: chain([STATUS], repeat(b"X: 1\r\n", 80)), pause=0.02)) as (port, connections):
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", "https://crm.invalid")
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        with pytest.raises(ApiUnavailable, match="in time"):
            read()
    assert connections


def test_a_host_that_does_not_accept_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, closing(socket.socket()) as first:
        first.connect(full.getsockname())  # no further connection fits
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", f"http://127.0.0.1:{full.getsockname()[1]}")
        with pytest.raises(ApiUnavailable, match="no answer in time"):
            read()


def test_a_name_that_is_looked_up_for_ever_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> list[object]:
        time.sleep(2)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setenv("SOURCES__CRM__BASE_URL", "https://crm.invalid")
    with pytest.raises(ApiUnavailable, match="no answer in time"):
        read()


FAST: dict[str, tuple[bytes, bytes]] = {
    "a body": (STATUS + b"\r\n", b" " * 4096),
    "trailers": (CHUNKED + LAST_CHUNK, b"X: 1\r\n" * 1000),
    "a body that is packed": (STATUS + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b" " * 2**22)),
}
"""What does not end -> how the answer begins, and what then comes as fast as it can."""


@pytest.mark.parametrize(("begin", "again"), FAST.values(), ids=FAST)
def test_an_answer_may_not_be_endless(begin: bytes, again: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MAX_ANSWER_BYTES", 2**20)
    monkeypatch.setenv("SOURCES__CRM__REQUEST_DEADLINE", "60")
    with server(sending(lambda: chain([begin], repeat(again)))) as (port, connections):
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(BadAnswer, match=r"page 1: the answer does not end: [0-9,]+ bytes"):
            read()
    assert len(connections) == 1


@pytest.mark.parametrize("line", [b"none", b"X Y: 1", "Größe: 1".encode(), b"X-Y: 1\rZ"])
def test_a_line_that_is_no_header_is_left_out(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    page = CHUNKED.replace(b"\r\n", b"\r\n" + line + b"\r\n", 1) + b"%s\r\n" % LAST_CHUNK
    monkeypatch.setenv("SOURCES__CRM__REQUEST_DEADLINE", "60")
    with server(sending(lambda: iter([page]))) as (port, _):
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", f"http://127.0.0.1:{port}")
        assert read().report.complete


@pytest.mark.parametrize("interim", [b"100 Continue\r\n", b"102 Processing\r\n", b"103 Early Hints\r\nLink: </a>\r\n"])
def test_an_interim_answer_is_not_the_answer(interim: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b'{"tasks": [{"id": 1}], "meta": {"total": 1}}'
    page = STATUS + b"Content-Length: %d\r\n\r\n%s" % (len(content), content)
    monkeypatch.setenv("SOURCES__CRM__REQUEST_DEADLINE", "60")
    with server(sending(lambda: iter([b"HTTP/1.1 " + interim + b"\r\n", page]))) as (port, _):
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", f"http://127.0.0.1:{port}")
        assert set(read().ids) == {1}
