"""How the server comes and goes."""

import logging
import signal
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests
from starlette.responses import PlainTextResponse

from crm_assets.sandbox import serving_sandbox
from crm_assets.sandbox.server import serving
from crm_assets_tests.sandbox.client import NOW, Client

hello = PlainTextResponse("hello")


@pytest.fixture(scope="module")
def hello_url() -> Iterator[str]:
    """Where ``hello`` is served."""
    with serving(hello) as base_url:
        yield base_url


def test_only_this_machine_is_served(hello_url: str) -> None:
    assert urlsplit(hello_url).hostname == "127.0.0.1"


def test_a_port_can_be_chosen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as finder:
        port = finder.getsockname()[1]
    with serving(hello, port) as base_url:
        assert urlsplit(base_url).port == port


def test_a_taken_port_is_an_error(hello_url: str) -> None:
    with pytest.raises(OSError, match="in use"), serving(hello, urlsplit(hello_url).port or 0):
        pass


def test_several_servers_stand_side_by_side(hello_url: str) -> None:
    with serving(PlainTextResponse("bye")) as other_url:
        assert [requests.get(url, timeout=10).text for url in (hello_url, other_url)] == ["hello", "bye"]


def test_nothing_is_left_running() -> None:
    threads = threading.active_count()
    with serving(hello) as base_url:
        pass
    assert threading.active_count() == threads
    with pytest.raises(requests.ConnectionError):
        requests.get(base_url, timeout=10)


def test_an_open_connection_does_not_hold_up_the_end() -> None:
    with requests.Session() as session:
        with serving_sandbox(now=NOW, rows=50) as sandbox:
            assert Client(sandbox, session).get("/v1/deals").ok
            begun = time.monotonic()
        assert time.monotonic() - begun < 30


def test_an_error_in_the_block_ends_the_server_too() -> None:
    threads = threading.active_count()
    with pytest.raises(KeyError), serving(hello):
        raise KeyError
    assert threading.active_count() == threads


def test_signals_and_the_root_logger_stay_as_they_are() -> None:
    def settings() -> tuple[object, ...]:
        root = logging.getLogger()
        return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), root.level, [*root.handlers]

    before = settings()
    with serving(hello):
        assert settings() == before


def test_every_sandbox_has_a_key_of_its_own(crm: Client) -> None:
    with serving_sandbox(now=NOW, rows=5) as other:
        assert len(other.api_key) > 20
        assert other.api_key != crm.sandbox.api_key
