"""Paging through a whole resource: from page 1 to the API's end, by what the pages hold.

`meta` is a help, never a need: the API's total can end a read one request earlier, and it can show that records moved
between pages while they were read. It cannot make the read stop short of a record.
"""

import math
from typing import Any

from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator
from requests import Response

from crm_assets.source.errors import BadAnswer
from crm_assets.source.http.answers import page_total
from crm_assets.source.reading.report import ReadReport
from crm_assets.source.typing.records import record_id

STUCK_AFTER = 3
"""Pages in a row without a new id, after which the API is taken to ignore `page`."""

MAX_PASSES = 3
"""How often a list may be read from page 1 when the ids received fall short of the API's total."""

MAX_STEPS_BACK = 50
"""How often one read may go back for records that moved to an earlier page."""


class FullReadPaginator(PageNumberPaginator):
    """Reads every page, in order, until an empty one, or until all records that the API counts were received.

    - When the API's total drops between two pages, a record was removed and those behind it moved forward, one of them
      perhaps onto a page already read: the read goes back over the pages that were under way.
    - When the ids received fall short of the total at the end, the list is read once more, until they suffice.
    """

    def __init__(self, report: ReadReport) -> None:
        """Starts before page 1. `report` receives the counts, and `complete` when the end was reached."""
        super().__init__(base_page=1, page_param="page", total_path=None, stop_after_empty_page=True)
        self._report = report
        self._ids: set[int] = set()
        self._unidentified = 0
        self._total: int | None = None
        self._total_changed = False
        self._passes = 1
        self._read_before_pass = 0
        self._steps_back = 0
        self._pages_without_news = 0
        self._largest_page = 1

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        """Counts the page's records and decides which page is next, if any.

        Raises:
            BadAnswer: The API sends the same records over and over.
        """
        records = data or []
        news = self._count(records)
        removed = self._watch_total(page_total(response))
        self._largest_page = max(self._largest_page, len(records))
        if removed and self._steps_back < MAX_STEPS_BACK:
            self._steps_back += 1
            pages_back = self._report.pages_ahead + math.ceil(removed / self._largest_page)
            self._pages_without_news = -pages_back
            self.current_value = max(1, self.current_value - pages_back)
        elif self._at_end(records):
            self._end_of_pass()
        else:
            self._check_progress(news)
            self.current_value += 1

    def _count(self, records: list[Any]) -> int:
        """Counts records, and returns how many of them are new."""
        known = self._report.rows_read
        ids = [record_id(record) for record in records]
        self._ids.update(id_ for id_ in ids if id_ is not None)
        if self._passes == 1:
            self._unidentified += ids.count(None)
        self._report.rows_read = len(self._ids) + self._unidentified
        return self._report.rows_read - known

    def _watch_total(self, total: int | None) -> int:
        """Remembers the API's total and returns by how many it dropped since the page before."""
        removed = 0
        if total is not None and self._total is not None and total != self._total:
            self._total_changed = True
            removed = max(0, self._total - total)
        if total is not None:
            self._total = self._report.rows_in_source = total
        return removed

    def _at_end(self, records: list[Any]) -> bool:
        # Only a total that stood still can be compared: a record received and removed since would count twice.
        return not records or (not self._total_changed and self._report.rows_read == self._total)

    def _end_of_pass(self) -> None:
        short = self._total is not None and self._report.rows_read < self._total
        brought_news = self._report.rows_read > self._read_before_pass
        if short and brought_news and self._passes < MAX_PASSES:
            self._passes += 1
            self._read_before_pass = self._report.rows_read
            self._total_changed = False
            self.current_value = 1
            self._report.notes.append(
                f"{self._report.rows_read} of {self._total} records received: records moved between pages while they "
                "were read, or the API counts some that it does not list. Reading the list again"
            )
            return
        self._has_next_page = False
        self._report.complete = not (short and brought_news) and not self._unidentified

    def _check_progress(self, news: int) -> None:
        if self._passes > 1:
            return
        self._pages_without_news = 0 if news else self._pages_without_news + 1
        if self._pages_without_news >= STUCK_AFTER:
            raise BadAnswer(
                f"{self._report.resource}, page {self.current_value}: {STUCK_AFTER} pages in a row brought no record "
                "that was not there before. The API seems to ignore the query parameter `page`"
            )
