"""The progress of a read, and its report for the sync log, the asset's metadata and the checks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from functools import partial

from crm_assets.errors import counted
from crm_assets.settings import setting_name
from crm_assets.source.typing.batches import RejectedRecord


class ReadMode(str, Enum):
    """How a resource is read: the whole list, or only the newest changes."""

    full = "full"
    incremental = "incremental"


@dataclass(frozen=True)
class Progress:
    """The progress of a read after a page.

    Attributes:
        pages: Pages received.
        pages_expected: Pages of the whole list; None without a total, or if the read may stop earlier.
        records: Records received.
        records_expected: Records of the whole list; None as above.
        retries: Retried requests.
    """

    pages: int
    pages_expected: int | None
    records: int
    records_expected: int | None
    retries: int


OnPage = Callable[[Progress], object]
"""Called on the reading thread after each page. It must return quickly and not raise."""


@dataclass
class ReadReport:
    """The numbers of one read, which the paginator keeps up to date.

    Attributes:
        resource: The resource read.
        mode: The mode of the read; an incremental read may become a full one.
        started_at: The time before the first request, UTC, by this machine's clock.
        answered_at: The time of the first answer, UTC, by the API's clock; None if it does not tell.
        requests: HTTP requests sent, retries included.
        retries: How many of them were retries.
        seconds_waiting: Seconds in which requests waited, for rate limits or before a retry.
        rows_read: Records received, each id counted once, plus rejected ones.
        ids_read: Different ids received.
        rows_in_source: Records in the list by the API's count; None if it has none.
        incomplete_because: Why the read is incomplete. Empty if it is complete: a full read ended on the API's last
            page with nothing rejected, an incremental one at records that are already loaded.
        rejected: Records that cannot be loaded, each different one once.
        notes: Messages for the run's log.
        dropped_fields: Undeclared fields that were left out because of `personal_data`. Names, never values.
    """

    resource: str
    mode: ReadMode = ReadMode.full
    started_at: datetime = field(default_factory=partial(datetime.now, timezone.utc))
    answered_at: datetime | None = None
    requests: int = 0
    retries: int = 0
    seconds_waiting: float = 0
    rows_read: int = 0
    ids_read: int = 0
    rows_in_source: int | None = None
    incomplete_because: str = "the read did not finish"
    rejected: Sequence[RejectedRecord] = ()
    notes: list[str] = field(default_factory=list)
    dropped_fields: tuple[str, ...] = ()

    @property
    def rows_rejected(self) -> int:
        """The number of records that cannot be loaded."""
        return sum(rejected.records for rejected in self.rejected)

    @property
    def complete(self) -> bool:
        """Whether the read reached its end."""
        return not self.incomplete_because

    def short_of(self, total: str, listed: int) -> str:
        """Why the read is incomplete if the API counts so many records, or pages, and lists fewer."""
        return (
            f"the API counts {total} and listed {listed}. If it always counts some that it does "
            f"not list, set total_is_exact to false for {self.resource} in {setting_name('endpoints')}"
        )

    def capped(self, pages: int, why: str, *, counted_all: bool) -> str:
        """Why the read is incomplete if the API serves no more than `pages`.

        Args:
            pages: The last page with records.
            why: What the API did after it.
            counted_all: Whether exactly the records that the API counts were received.
        """
        of_all = f"{self.rows_read} of {self.rows_in_source or 'unknown'} records"
        read = f"{counted(self.rows_read, 'record')}, as many as it counts" if counted_all else of_all
        return (
            f"the API lists no more than {counted(pages, 'page')}, {read} ({why}). "
            f"Ask for a shorter list with params in {setting_name('endpoints')}, or for larger pages with "
            f"{setting_name('per_page')}"
        )

    @property
    def summary(self) -> str:
        """One line for the run's log."""
        retries = f", {self.retries:,} of them {'a retry' if self.retries == 1 else 'retries'}" if self.retries else ""
        incomplete = f"; incomplete: {self.incomplete_because}" if self.incomplete_because else ""
        read = f"{counted(self.rows_read, 'record')} in {counted(self.requests, 'request')}{retries}"
        return f"{self.resource}: {read} ({self.mode.value}){incomplete}"
