"""Pages through a whole resource: which page is next, which are fetched ahead, where the list ends.

The API's total is optional. With it a read needs one request less, and detects records that moved between pages and
lists with fewer records than the API counts. A wrong total never makes a read skip records.
"""

import math
from typing import Any

from dlt.sources.helpers.rest_client.paginators import BasePaginator
from requests import Request, Response

from crm_assets.errors import BadAnswer
from crm_assets.settings import CrmSettings, setting_name
from crm_assets.source.api import PAGE
from crm_assets.source.http.page import Page
from crm_assets.source.http.session import PageResponse, PageSession
from crm_assets.source.reading.progress import OnPage, Progress
from crm_assets.source.reading.report import ReadMode, ReadReport

STUCK_AFTER = 3
"""After this many pages in a row without a new id, the API is considered to ignore `page`, or to send its last page
for all later ones."""

MAX_PASSES = 3
"""How often a list is read from page 1 at most, if it has fewer ids than the API counts."""

MAX_STEPS_BACK = 50
"""How often one read goes back at most for records that moved to an earlier page."""

WINDOWS_AHEAD = 2
"""Windows of pages fetched ahead, so that requests stay in flight while a batch is built."""

GUESSED_SHARE = 4
"""If the end of a read is not known, at most one fourth of the number of pages read so far are fetched ahead."""


class FullReadPaginator(BasePaginator):
    """Reads every page, in order, until an empty one, or until all records that the API counts were received.

    - If the API's total drops between two pages, records were removed and later ones moved forward, maybe to a page
      that was already read. The read then goes back over the pages that were in flight.
    - If the API counts more records than were received at the end, the list is read again, until there are enough or
      a pass finds nothing new. If there are still too few, the read is incomplete.

    Attributes:
        report: The report of the read so far. Requests and rejected records are counted elsewhere.
    """

    def __init__(self, session: PageSession, resource: str, settings: CrmSettings, on_page: OnPage) -> None:
        """Starts at page 1.

        Args:
            session: Fetches the pages.
            resource: The resource to read.
            settings: Say whether the API's total is exact.
            on_page: Called with the progress after each page.
        """
        super().__init__()
        self.report = ReadReport(resource)
        self._on_page = on_page
        self._session = session
        self._total_is_exact = settings.total_is_exact(resource)
        self._ids: set[int] = set()
        self._unidentified = self._passes = self._steps_back = self._pages_without_news = 0
        self._pages_read = self._last_page = self._most_ahead = 0
        self._news_until = self._repeated_page = 0
        self._largest_page = 1
        self._begin_pass()

    def __deepcopy__(self, memo: dict[int, Any]) -> "FullReadPaginator":
        """Returns itself: rest_api copies its configuration to validate it."""
        return self

    def progress(self) -> Progress:
        """The progress of the read."""
        total = self.report.rows_in_source if self.report.mode is ReadMode.full else None
        return Progress(
            pages=self._pages_read,
            pages_expected=None if total is None else math.ceil(total / self._largest_page),
            records=self.report.rows_read,
            records_expected=total,
            retries=self._session.retries,
        )

    def init_request(self, request: Request) -> None:
        """Asks for page 1."""
        request.params[PAGE] = self._next

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        """Counts the page's records and decides which page is next, if any.

        Raises:
            BadAnswer: The API keeps sending the same records.
        """
        if not isinstance(response, PageResponse):
            raise TypeError("responses come from PageSession")
        page = response.page
        if page.refusal:
            self._end_at_cap(page.number - 1, page.refusal)
            return
        news = self._count(page)
        removed = self._watch_total(page.total)
        if removed and self._steps_back < MAX_STEPS_BACK:
            self._steps_back += 1
            pages_back = self._most_ahead + math.ceil(removed / self._largest_page)
            self._pages_without_news = -pages_back
            self._next = max(1, page.number - pages_back)
        elif self._at_end(page):
            self._end_of_pass()
        else:
            self._next = page.number + 1
            self._check_progress(page, news)

    def update_request(self, request: Request) -> None:
        """Asks for the next page, and makes the session fetch the following ones ahead."""
        self._on_page(self.progress())
        if self.has_next_page:
            request.params[PAGE] = self._next
            ahead = self._pages_ahead()
            self._most_ahead = max(self._most_ahead, ahead)
            self._session.start(request, range(self._next, self._next + max(1, ahead)))

    def _pages_ahead(self) -> int:
        """How many pages to fetch ahead, the next one included: no more than the list seems to have."""
        ahead = self._session.limits.window * WINDOWS_AHEAD
        total = self.report.rows_in_source
        if total is not None:
            ahead = min(ahead, math.ceil(total / self._largest_page) + 1 - self._next)
        elif self._last_page < self._largest_page:
            return 0
        if total is None or self.report.mode is ReadMode.incremental:
            # The read may end sooner, and pages fetched ahead would be wasted requests.
            ahead = min(ahead, self._pages_read // GUESSED_SHARE)
        return ahead

    def _count(self, page: Page) -> int:
        """Counts records, and returns how many of them are new."""
        known = self.report.rows_read
        self._ids.update(id_ for id_ in page.ids if id_ is not None)
        if self._passes == 1:
            self._unidentified += page.ids.count(None)
        self.report.rows_read = len(self._ids) + self._unidentified
        self._received_in_pass += len(page.records)
        self._pages_read += 1
        self._last_page = len(page.records)
        self._largest_page = max(self._largest_page, self._last_page)
        return self.report.rows_read - known

    def _watch_total(self, total: int | None) -> int:
        """Stores the API's total and returns by how much it dropped since the previous page."""
        before = self.report.rows_in_source
        if total is None or total == before:
            return 0
        self.report.rows_in_source = total
        if before is None:
            return 0
        self._total_changed = True
        return max(0, before - total)

    def _at_end(self, page: Page) -> bool:
        # A total that changed cannot be compared: removed records may already have been received.
        return not page.records or (not self._total_changed and self.report.rows_read == self.report.rows_in_source)

    def _begin_pass(self) -> None:
        self._passes += 1
        self._next = 1
        self._read_before_pass = self.report.rows_read
        self._received_in_pass = 0
        self._total_changed = False

    def _end_of_pass(self) -> None:
        read, total = self.report.rows_read, self.report.rows_in_source or 0
        brought_news = read > self._read_before_pass
        # Some APIs always list a certain record twice, and count it twice.
        repeats_only = not brought_news and self._received_in_pass >= total and not self._repeated_page
        if self._repeated_page and not total:
            self._end(f"page {self._repeated_page} had only records of earlier pages, in place of its own")
        elif read >= total or repeats_only or not self._total_is_exact or self.report.mode is ReadMode.incremental:
            self._end()
        elif brought_news and self._passes < MAX_PASSES:
            self.report.notes.append(
                f"{read} of {total} records received: records moved between pages while they were "
                "read, or the API counts some that it does not list. Reading the list again"
            )
            self._begin_pass()
        else:
            self._end(
                f"the API counts {total} records and listed {read}. If it always counts some that it does "
                f"not list, set total_is_exact to false for {self.report.resource} in {setting_name('endpoints')}"
            )

    def _end_at_cap(self, pages: int, why: str) -> None:
        total = self.report.rows_in_source
        if total is None and self._last_page < self._largest_page:
            # The last page was shorter than others, so the list has ended. A cap would follow a full page.
            self._end_of_pass()
            return
        self._end(
            f"the API lists no more than {pages} pages, {self.report.rows_read} of {total or 'unknown'} "
            f"records ({why}). Ask for a shorter list with params in {setting_name('endpoints')}, or for "
            f"larger pages with {setting_name('per_page')}"
        )
        self.report.notes.append(f"Incomplete: {self.report.incomplete_because}")

    def _end(self, incomplete_because: str = "") -> None:
        self._has_next_page = False
        rejected = f"{self._unidentified} records have no usable id" if self._unidentified else ""
        self.report.incomplete_because = incomplete_because or rejected

    def _check_progress(self, page: Page, news: int) -> None:
        if self._passes > 1:
            return
        self._pages_without_news = 0 if news else self._pages_without_news + 1
        if news:
            self._news_until = page.number
        elif self._pages_without_news > 0 and self._last_page == self._largest_page:
            self._repeated_page = page.number
        if self._pages_without_news >= STUCK_AFTER:
            if self._news_until > 1:
                self._end_at_cap(self._news_until, "later ones had no new record")
                return
            raise BadAnswer(
                f"{self.report.resource}, page {page.number}: {STUCK_AFTER} pages in a row had no new record. "
                f"The API seems to ignore the query parameter `{PAGE}`"
            )
