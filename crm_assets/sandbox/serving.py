"""Any ASGI application on a loopback port, for as long as a ``with`` block lasts."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Final

import uvicorn
from starlette.types import ASGIApp

HOST: Final = "127.0.0.1"

_POLL: Final = 0.002
_GRACE: Final = 1  # seconds that a request under way has to end when the block does


@contextmanager
def serving(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """Serve an application on 127.0.0.1 from a thread of its own.

    Signal handlers and logging stay as they are.

    Args:
        app: The application; its lifespan events are not sent.
        port: The port; 0 takes a free one.

    Yields:
        The base URL, such as ``http://127.0.0.1:40213``, once requests are answered.

    Raises:
        OSError: If the port is taken.
        RuntimeError: If the server ends instead of serving.
    """
    # The socket is bound here, not by the server: nobody else can take the port in between.
    with socket.create_server((HOST, port), backlog=2048) as listener:
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        thread = Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
        thread.start()
        try:
            while not server.started:
                if not thread.is_alive():
                    raise RuntimeError(f"the server on port {listener.getsockname()[1]} did not start")
                time.sleep(_POLL)
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
