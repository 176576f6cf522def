"""Incidents: what is wrong now, and what was already reported, so that each is reported once."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from filelock import FileLock

LOCK_WAIT = 30.0
"""Seconds to wait for another process that holds the lock: it may be sending an alert."""


@dataclass(frozen=True)
class Incident:
    """A failure or a delay.

    Attributes:
        key: Its identity, such as `asset raw/accounts` or `check raw/accounts:unknown_fields`.
        happened: A sentence that describes it.
    """

    key: str
    happened: str


@dataclass(frozen=True)
class Recovery:
    """An incident that is over.

    Attributes:
        key: The key of the incident.
        since: When it was reported, UTC.
    """

    key: str
    since: datetime


def settle(
    opened: AbstractContextManager[dict[str, datetime]],
    failing: Sequence[Incident],
    passing: Collection[str],
    tell: Callable[[Sequence[Incident], Sequence[Recovery]], bool],
) -> None:
    """Reports changes: new incidents, and open ones that are over.

    If a report cannot be sent, the open incidents stay as they were and the next call sends it.

    Args:
        opened: The open incidents: key -> since when, UTC. Changes in its body are stored.
        failing: Current incidents.
        passing: Keys of assets, checks and runs without an incident.
        tell: Sends new incidents and recoveries. Returns whether they arrived.
    """
    with opened as open_since:
        new = [incident for incident in failing if incident.key not in open_since]
        over = [Recovery(key, open_since[key]) for key in passing if key in open_since]
        if (new or over) and tell(new, over):
            open_since.update({incident.key: datetime.now(timezone.utc) for incident in new})
            for recovery in over:
                del open_since[recovery.key]


@contextmanager
def incidents_in_file(path: Path) -> Iterator[dict[str, datetime]]:
    """The open incidents in a file, which is created with the first one: key -> since when, UTC.

    Changes in the body are written to the file. One process at a time.

    Raises:
        filelock.Timeout: The lock was not acquired within LOCK_WAIT.
        OSError: The file cannot be read or written.
    """
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
        # A damaged file is treated as missing: at worst an incident is reported twice.
        return {}
