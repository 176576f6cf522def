"""Incremental reads: newest first, stop early, and check that the API does sort."""

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from requests import Request

from crm_assets.api import NEWEST_FIRST, UPDATED_AT
from crm_assets.source.http.page import Page
from crm_assets.source.http.session import PageSession
from crm_assets.source.reading.paginator import FullReadPaginator
from crm_assets.source.reading.report import ReadMode
from crm_assets.source.typing.columns import typed_column

EARLIEST = datetime.min.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Cursor:
    """Where an incremental read may stop.

    Attributes:
        newest: The newest loaded `updated_at`, UTC. A list sorted as asked begins with this or a later time.
        read_to: The read may stop at the first page on which every `updated_at` is before this time, UTC.
    """

    newest: datetime
    read_to: datetime


class IncrementalPaginator(FullReadPaginator):
    """Reads pages until all records of one were changed before the cursor.

    It checks the order while it reads. If a record is newer than the one before it, or the first one is older than the
    newest loaded, the API does not sort. The read then becomes a full one, since changes may be on any page. So it does
    when records are repeated: the API may order those of the same time differently for each page, and some are on none.

    If that page is in order by itself, the API may sort after all, and the newest record have left the list. Then the
    read begins again without an order: records that change while a sorted list is read move to pages already taken.
    """

    def __init__(self, session: PageSession, cursor: Cursor) -> None:
        """Starts at page 1 of the session's list."""
        super().__init__(session)
        self.report.mode = ReadMode.incremental
        self._cursor = cursor
        self._last: datetime | None = None
        self._may_be_sorted = False
        params = session.settings.endpoint(session.resource).params
        self._as_configured = {name: params.get(name) for name in NEWEST_FIRST}

    def update_request(self, request: Request) -> None:
        """Asks for the next page. From the second pass on, the list is not to be sorted."""
        if self._pass.number > 1:
            request.params.update(self._as_configured)
        super().update_request(request)

    def _go_on(self, page: Page) -> None:
        super()._go_on(page)
        if self._may_be_sorted and self.has_next_page and self._begin_pass(one_at_a_time=False):
            self._first_pass = self._pass.number
        self._may_be_sorted = False

    def _at_end(self, page: Page) -> bool:
        if self.report.mode is ReadMode.incremental and page.records:
            changed_at = updated_at(page.records)
            if not self._newest_first(changed_at) or self._pass.is_reordered:
                self.report.mode = ReadMode.full
                seconds = [(at or EARLIEST).replace(microsecond=0) for at in changed_at]
                self._may_be_sorted = seconds == sorted(seconds, reverse=True)
                self.report.notes.append(f"The API does not sort by {UPDATED_AT} as asked: reading all pages")
            elif all(at is not None and at < self._cursor.read_to for at in changed_at):
                return True
        return super()._at_end(page)

    def _newest_first(self, changed_at: list[datetime | None]) -> bool:
        for at in changed_at:
            if at is None:
                continue
            if at > (self._last or at) or (self._last is None and at < self._cursor.newest):
                return False
            self._last = at
        return True


def updated_at(records: list[Any]) -> list[datetime | None]:
    """The time of each record's last change, UTC; None without one."""
    values = [record.get(UPDATED_AT) if isinstance(record, dict) else None for record in records]
    instants, _ = typed_column("timestamp", values)
    return list(instants.to_pylist())
