"""Incidents: what is wrong now and was told already, so that nobody is told twice."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from filelock import FileLock

LOCK_WAIT = 30.0
"""Seconds to wait for another process that settles incidents, which may be sending an alert."""


@dataclass(frozen=True)
class Incident:
    """Something that is wrong.

    Attributes:
        key: What tells it from others, such as `asset raw/accounts` or `check raw/accounts:unknown_fields`.
        happened: What happened, a sentence.
    """

    key: str
    happened: str


@dataclass(frozen=True)
class Recovery:
    """An incident that is over.

    Attributes:
        key: The incident's.
        since: When it was told, UTC.
    """

    key: str
    since: datetime


def settle(
    path: Path,
    failing: Sequence[Incident],
    passing: Collection[str],
    tell: Callable[[Sequence[Incident], Sequence[Recovery]], bool],
) -> None:
    """Tells what is new: incidents that were not open, and open ones that are over.

    What could not be told stays as it was, so that the next call tells it.

    Args:
        path: The file of open incidents; made when the first one opens.
        failing: What is wrong now.
        passing: Keys of what is right now.
        tell: Sends new incidents and recoveries; returns whether they have arrived.

    Raises:
        filelock.Timeout: Lock not acquired within LOCK_WAIT.
        OSError: The file cannot be read or written.
    """
    if not failing and not path.exists():
        return
    with _opened(path) as open_since:
        new = [incident for incident in failing if incident.key not in open_since]
        over = [Recovery(key, open_since[key]) for key in passing if key in open_since]
        if (new or over) and tell(new, over):
            open_since.update({incident.key: datetime.now(timezone.utc) for incident in new})
            for recovery in over:
                del open_since[recovery.key]


@contextmanager
def _opened(path: Path) -> Iterator[dict[str, datetime]]:
    """The open incidents: key -> since when. Changes are kept."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock"), timeout=LOCK_WAIT, mode=0o600):
        before = _read(path)
        now = dict(before)
        yield now
        if now != before:
            unfinished = path.with_suffix(".unfinished")
            kept = {key: since.isoformat() for key, since in now.items()}
            unfinished.touch(mode=0o600)  # its owner's alone, as all files of the data directory
            unfinished.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
            unfinished.replace(path)


def _read(path: Path) -> dict[str, datetime]:
    try:
        return {key: datetime.fromisoformat(since) for key, since in json.loads(path.read_text("utf-8")).items()}
    except (FileNotFoundError, ValueError, AttributeError, TypeError):
        # A damaged file is as good as none: at worst an incident is told twice.
        return {}
