"""A request without an answer: the cause is shown in full, with advice, and retried only if that can help."""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from crm_assets.errors import ApiRefusal, ApiUnavailable
from crm_assets_tests.raw_server import server
from crm_assets_tests.scripted_crm import KEY
from crm_assets_tests.source.source_reads import read

CERTIFICATE = Path(__file__).with_name("other_invalid.pem")
"""Of the host other.invalid, signed by itself."""


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("SOURCES__CRM__API_KEY", KEY)
    monkeypatch.setenv("SOURCES__CRM__REQUEST_BACKOFF_FACTOR", "0.01")


def with_certificate(connection: socket.socket) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with context.wrap_socket(connection, server_side=True) as secured:
        secured.recv(1)


def answering(line: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.recv(100_000)
        connection.sendall(b"HTTP/1.1 " + line + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    return answer


def refused(base_url: str, monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """What is error of a read that another attempt would not change."""
    monkeypatch.setenv("SOURCES__CRM__BASE_URL", base_url)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ApiRefusal, match="^open_tasks, page 1: ") as raised:
        read()
    assert KEY not in str(raised.value)
    assert not raised.value.may_recover
    return str(raised.value)


def test_a_certificate_that_nobody_vouches_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(with_certificate) as (port, connections):
        error = refused(f"https://127.0.0.1:{port}", monkeypatch)
    assert "self-signed certificate" in error
    assert "REQUESTS_CA_BUNDLE" in error
    assert len(connections) == 1


def test_a_certificate_of_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(with_certificate) as (port, connections):
        error = refused(f"https://127.0.0.1:{port}", monkeypatch, REQUESTS_CA_BUNDLE=str(CERTIFICATE))
    assert "mismatch, certificate is not valid for '127.0.0.1'" in error
    assert "SOURCES__CRM__BASE_URL" in error
    assert len(connections) == 1


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("kind", ["missing", "no certificate", "an empty folder"])
def test_invalid_bundle_of_certificates_is_named(
    variable: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle"
    if kind == "no certificate":
        bundle.write_text("this is none")
    elif kind == "an empty folder":
        bundle.mkdir()
    with server(with_certificate) as (port, connections):
        error = refused(f"https://127.0.0.1:{port}", monkeypatch, **{variable: str(bundle)})
    assert variable in error
    assert kind != "missing" or str(bundle) in error
    assert len(connections) <= 1


def test_a_server_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(answering(b"400 Bad Request")) as (port, connections):
        error = refused(f"https://127.0.0.1:{port}", monkeypatch)
    assert "TLS" in error
    assert "https" in error
    assert len(connections) == 1


@pytest.mark.parametrize("base_url", ["http://crm.invalid", "https://crm.invalid"])
@pytest.mark.parametrize("line", [b"407 Proxy Authentication Required", b"403 Forbidden"])
def test_a_proxy_that_refuses(base_url: str, line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(answering(line)) as (port, connections):
        proxy = f"http://user:hush@127.0.0.1:{port}"
        message = refused(base_url, monkeypatch, HTTPS_PROXY=proxy, HTTP_PROXY=proxy, SOURCES__CRM__ALLOW_HTTP="true")
    assert line[:3].decode() in message
    assert base_url.startswith("http:") or "HTTPS_PROXY" in message
    assert "hush" not in message
    assert len(connections) == 1


@pytest.mark.parametrize("line", [b"502 Bad Gateway", b"503 Service Unavailable"])
def test_a_proxy_that_is_busy_is_asked_again(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__BASE_URL", "https://crm.invalid")
    with server(answering(line)) as (port, connections):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        with pytest.raises(ApiUnavailable, match=f"{line.decode()}.*HTTPS_PROXY.*Every retry failed"):
            read()
    assert len(connections) == 4


@pytest.mark.parametrize(
    "proxy",
    [
        *("http://127.0.0.1:{port}", "http://proxy.invalid:3128", "socks5h://127.0.0.1:{port}", "http://:3128"),
        *("ftp://proxy.invalid", "http://user:hush@127.0.0.1:99999", "http://user:hush@[::1", "http://pro xy:3128"),
    ],
)
def test_a_proxy_that_is_not_there(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    message = refused("https://crm.invalid", monkeypatch, HTTPS_PROXY=proxy.format(port=port))
    assert "HTTPS_PROXY" in message
    assert "hush" not in message


def test_an_unreachable_server_is_reported_after_every_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("SOURCES__CRM__BASE_URL", f"http://127.0.0.1:{port}")
    with pytest.raises(ApiUnavailable, match=r"Connection refused\. Check SOURCES__CRM__BASE_URL.*Every retry failed"):
        read()


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", r"not HTTP \(BadStatusLine\)", id="another protocol"),
        pytest.param(b"", "closed connection without response", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", "breaks off", id="less than its length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}", "breaks off", id="chunks without end"
        ),
        *(
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\n{}\r\n0\r\n\r\n" % size,
                "a chunk has no valid size",
                id=f"a chunk of size {size.decode()}",
            )
            for size in (b"-5", b"two")
        ),
    ],
)
def test_broken_http_is_reported_after_every_retry(sent: bytes, error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(100_000)
        connection.sendall(sent)

    with server(answer) as (port, connections):
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(ApiUnavailable, match=rf"{error}\. Check SOURCES__CRM__BASE_URL.*Every retry failed"):
            read()
    assert len(connections) == 4


def test_a_host_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__BASE_URL", "https://crm.invalid")
    # Without a name server in reach it is a failure that may pass.
    with pytest.raises((ApiRefusal, ApiUnavailable), match=r"name cannot be resolved: .*Check SOURCES__CRM__BASE_URL"):
        read()
