"""What one read of one resource found out, for the sync log, the asset's metadata and the checks."""

from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum


class ReadMode(str, Enum):
    """How a resource is read: all of it, or the newest changes only."""

    full = "full"
    incremental = "incremental"


@dataclass(frozen=True)
class RejectedRecord:
    """A record that cannot be loaded, as the JSON text that it came as. `page` counts from 1."""

    page: int
    reason: str
    record: str


@dataclass
class ReadReport:
    """Counts of one read, filled while it goes on.

    Attributes:
        resource: The resource read.
        mode: What the read turned out to be; an incremental read may turn into a full one.
        started_at: UTC instant before the first request.
        pages_ahead: The most pages that were fetched, or on their way, before their turn.
        requests: HTTP requests sent, retries included.
        retries: Of those, how many repeated one that had failed.
        rows_read: Records received, each id counted once, plus those set aside.
        rows_in_source: Records in the list by the API's own count; None when it does not tell.
        complete: Whether the read ended where it should: a full one on the API's last page with nothing set aside,
            an incremental one at what is already loaded.
        rejected: Records set aside.
        notes: Sentences for the run's log about what was unusual.
    """

    resource: str
    mode: ReadMode = ReadMode.full
    started_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    pages_ahead: int = 0
    requests: int = 0
    retries: int = 0
    rows_read: int = 0
    rows_in_source: int | None = None
    complete: bool = False
    rejected: list[RejectedRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
