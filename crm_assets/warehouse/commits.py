"""Notes which transactions were committed, so that an error can say whether tables have changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import duckdb

from crm_assets.errors import CommitUnconfirmed, CrmAssetsError

ROLLED_BACK = (duckdb.TransactionException, duckdb.ConstraintException, duckdb.OutOfMemoryException, CrmAssetsError)
"""Errors of a commit that wrote nothing, except `CommitUnconfirmed`."""


@dataclass
class Commits:
    """Transactions since some moment.

    Attributes:
        confirmed: How many were committed.
        unconfirmed: How many failed in such a way that all of one was written, or nothing.
    """

    confirmed: int = 0
    unconfirmed: int = 0

    @property
    def outcome(self) -> str:
        """A sentence without a full stop: whether tables have changed."""
        if self.confirmed:
            return "The tables had been updated before"
        return "All of it was written, or nothing" if self.unconfirmed else "The tables have not changed"


_noted: ContextVar[Commits | None] = ContextVar("commits", default=None)


@contextmanager
def commits_noted() -> Iterator[Commits]:
    """Notes the commits of the body."""
    outer, commits = _noted.get(), Commits()
    _noted.set(commits)
    try:
        yield commits
    finally:
        _noted.set(outer)


@contextmanager
def committing() -> Iterator[None]:
    """Notes whether the commit in the body succeeded."""
    commits = _noted.get() or Commits()
    try:
        yield
    except BaseException as error:
        if isinstance(error, CommitUnconfirmed) or not isinstance(error, ROLLED_BACK):
            commits.unconfirmed += 1
        raise
    commits.confirmed += 1
