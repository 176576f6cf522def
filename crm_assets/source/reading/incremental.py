"""Reading the newest changes only: newest first, stop early, and check that the API does sort."""

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from dlt.common.time import ensure_datetime_in_tz

from crm_assets.source.reading.paginator import FullReadPaginator
from crm_assets.source.reading.report import ReadMode, ReadReport

SORT_NEWEST_FIRST = {"sort": "updated_at", "sort_type": "desc"}
"""Query parameters that ask for the records changed last."""


@dataclass(frozen=True)
class Cursor:
    """Where an incremental read may stop.

    Attributes:
        newest: The newest `updated_at` that is loaded, UTC. A list sorted as asked begins with it or with a newer one.
        read_to: The read may stop at the first page on which every `updated_at` lies before this instant, UTC.
    """

    newest: datetime
    read_to: datetime


class IncrementalPaginator(FullReadPaginator):
    """Reads pages until one lies wholly before the cursor.

    It watches the order as it goes. A record newer than the one before it, or a list that begins before what is
    already loaded, means that the API does not sort as asked: then nothing is known of the pages to come, and the read
    goes on to the end as a full one.
    """

    def __init__(self, report: ReadReport, cursor: Cursor) -> None:
        """Starts before page 1; see `FullReadPaginator`."""
        super().__init__(report)
        self._cursor = cursor
        self._last: datetime | None = None

    def _at_end(self, records: list[Any]) -> bool:
        if self._report.mode is ReadMode.incremental and records:
            changed_at = [updated_at(record) for record in records]
            if not self._newest_first(changed_at):
                self._report.mode = ReadMode.full
                self._report.notes.append("The API does not sort by updated_at as asked: reading all pages")
            elif all(at is not None and at < self._cursor.read_to for at in changed_at):
                return True
        return super()._at_end(records)

    def _end_of_pass(self) -> None:
        if self._report.mode is ReadMode.full:
            super()._end_of_pass()
            return
        self._has_next_page = False
        self._report.complete = not self._unidentified

    def _newest_first(self, changed_at: list[datetime | None]) -> bool:
        for at in changed_at:
            if at is None:
                continue
            if at > (self._last or at) or (self._last is None and at < self._cursor.newest):
                return False
            self._last = at
        return True


def updated_at(record: Any) -> datetime | None:
    """When a record was changed last, UTC; None when it does not tell."""
    value = record.get("updated_at") if isinstance(record, dict) else None
    if not isinstance(value, str):
        return None
    try:
        return ensure_datetime_in_tz(value, timezone.utc)
    except ValueError:
        return None
