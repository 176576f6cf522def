"""A terminal for commands that ask."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, typed: str) -> Iterator[None]:
    """A terminal in which somebody types a line."""
    user, ours = os.openpty()
    with os.fdopen(user, "w"), os.fdopen(ours) as stdin:
        os.write(user, f"{typed}\n".encode())
        monkeypatch.setattr(sys, "stdin", stdin)
        yield
