"""A proxy before a lake's catalog that breaks connections: at once, or when a commit has been made."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

SNAPSHOT = b"ducklake_snapshot_changes VALUES"
"""A part of the statement with which DuckLake writes to the catalog."""

COMMIT = b"COMMIT\x00"
"""The end of PostgreSQL's message with this statement."""


@dataclass
class CatalogProxy:
    """Passes on what a lake and its catalog send each other.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        refusals: How many of the next connections end at once.
        countdown: The number of commits until the one whose answer is lost, including it. Zero: none any more.
    """

    port: int
    refusals: int = 0
    countdown: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lose_answer_of_commit(self, number: int) -> None:
        """The commit of that number, counted from 1, is made, but the connection ends before the answer."""
        with self._lock:
            self.countdown = number

    def takes_answer(self, message: bytes, before: bytes) -> bool:
        """Whether the answer to a message must be lost, given what the client sent before it in the transaction."""
        with self._lock:
            if not self.countdown or not message.endswith(COMMIT) or SNAPSHOT not in before:
                return False
            self.countdown -= 1
            return self.countdown == 0

    def serve(self, listening: socket.socket, port: int) -> None:
        """Passes on what clients send to a port of this machine, until the socket is closed."""
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                if self.refusals:
                    self.refusals -= 1
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", port))
                threading.Thread(target=_pass_on, args=(client, server, self), daemon=True).start()


@contextmanager
def catalog_proxy(port: int) -> Iterator[CatalogProxy]:
    """A proxy before the PostgreSQL server on a port of this machine, until the body ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = CatalogProxy(listening.getsockname()[1])
        threading.Thread(target=proxy.serve, args=(listening, port), daemon=True).start()
        try:
            yield proxy
        finally:
            _end(listening)


def _pass_on(client: socket.socket, server: socket.socket, proxy: CatalogProxy) -> None:
    is_answered = threading.Event()
    is_answered.set()

    def pass_answers() -> None:
        with suppress(OSError):
            while (answer := server.recv(65536)) and is_answered.is_set():
                client.sendall(answer)
        _end(client)

    answers = threading.Thread(target=pass_answers, daemon=True)
    answers.start()
    with closing(server), closing(client):
        before = b""
        with suppress(OSError):
            while message := client.recv(65536):
                if proxy.takes_answer(message, before):
                    is_answered.clear()
                server.sendall(message)
                before = b"" if message.endswith(COMMIT) else before + message
        _end(server)
        answers.join()


def _end(connection: socket.socket) -> None:
    """Closing a socket would not wake a thread that reads from it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
