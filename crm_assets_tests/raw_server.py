"""A server that does with each connection what a test says, below HTTP."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

Served = tuple[int, list[int]]


@contextmanager
def server(answer: Callable[[socket.socket], object]) -> Iterator[Served]:
    """A server on loopback that does something with each connection: its port, and a number for each connection."""
    connections: list[int] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(len(connections))
            with closing(connection):
                try:
                    answer(connection)
                except OSError:  # the client has hung up
                    continue

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], connections
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)
