"""What one read of one resource found out, for the sync log, the asset's metadata and the checks."""

from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from functools import partial

from crm_assets.source.typing.batches import RejectedRecord


class ReadMode(str, Enum):
    """How a resource is read: all of it, or the newest changes only."""

    full = "full"
    incremental = "incremental"


@dataclass
class ReadReport:
    """One read in numbers, which the paginator keeps up to date.

    Attributes:
        resource: The resource read.
        mode: What the read turned out to be; an incremental read may turn into a full one.
        started_at: UTC instant before the first request.
        requests: HTTP requests sent, retries included.
        retries: Of those, how many repeated one that had failed.
        rows_read: Records received, each id counted once, plus those rejected.
        rows_in_source: Records in the list by the API's own count; None when it does not tell.
        incomplete_because: Why the read did not end where it should. Empty when it did: a full one on the API's last
            page with nothing rejected, an incremental one at what is already loaded.
        rejected: Records that cannot be loaded.
        notes: Sentences for the run's log about what was unusual.
        dropped_fields: Undeclared fields that were left out, as `personal_data` says. Names, never values.
    """

    resource: str
    mode: ReadMode = ReadMode.full
    started_at: datetime = field(default_factory=partial(datetime.now, timezone.utc))
    requests: int = 0
    retries: int = 0
    rows_read: int = 0
    rows_in_source: int | None = None
    incomplete_because: str = "the read did not come to its end"
    rejected: tuple[RejectedRecord, ...] = ()
    notes: list[str] = field(default_factory=list)
    dropped_fields: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the read ended where it should."""
        return not self.incomplete_because

    @property
    def summary(self) -> str:
        """One line for the run's log."""
        retries = f" and {self.retries} retries" if self.retries else ""
        incomplete = f"; incomplete: {self.incomplete_because}" if self.incomplete_because else ""
        read = f"{self.rows_read:,} records in {self.requests:,} requests{retries}"
        return f"{self.resource}: {read} ({self.mode.value}){incomplete}"
