"""Pages through a whole resource: which page is next, which are fetched ahead, where the list ends.

The API's total is optional, and evidence only: no total ends a read by itself, or makes it skip records.
"""

from math import ceil

from dlt.sources.helpers.rest_client.paginators import BasePaginator
from requests import Request, Response

from crm_assets.api import PAGE, PER_PAGE
from crm_assets.errors import BadAnswer
from crm_assets.source.http.page import Identity, Page
from crm_assets.source.http.session import PageSession
from crm_assets.source.reading.report import Progress, ReadMode, ReadReport
from crm_assets.source.reading.steps import EndCheck, ListPass, ReceivedIds, StepBack

STUCK_AFTER = 3
"""After this many pages that are the same as the one before, the API is considered to ignore `page`, or to send its
last page for all later ones."""

WINDOWS_AHEAD = 2
"""Windows of pages fetched ahead, so that requests stay in flight while a batch is built."""

GUESSED_SHARE = 4
"""While the end of a read is unknown, no more than a fourth of the pages read so far are prefetched."""


class FullReadPaginator(BasePaginator):
    """Reads every page, in order, until the list ends. `docs/architecture.md` has the rules.

    Attributes:
        report: The report of the read so far. Requests and rejected records are counted elsewhere.
    """

    def __init__(self, session: PageSession) -> None:
        """Starts at page 1 of the session's list."""
        super().__init__()
        self.report = ReadReport(session.resource)
        self._session = session
        self._total_is_exact = session.settings.endpoint(session.resource).total_is_exact
        self._ids = ReceivedIds()
        self._total_is_trusted, self._total_changed = True, False
        self._only_first_page, self._per_page = True, session.settings.per_page
        self._first_page: Identity = ()
        self._pages_read = self._last_page = self._pages_listed = self._unidentified = 0
        self._largest_page = 1
        self._max_ahead = session.limits.window * WINDOWS_AHEAD
        self._step_back: StepBack | None = None
        self._end_check: EndCheck | None = None
        self._next = self._first_pass = 1
        self._pass = ListPass()

    def progress(self) -> Progress:
        """The progress of the read."""
        total = self.report.rows_in_source if self.report.mode is ReadMode.full else None
        pages = None if total is None else ceil(total / self._largest_page)
        return Progress(self._pages_read, pages, self.report.rows_read, total, self._session.retries)

    def init_request(self, request: Request) -> None:
        """Asks for page 1."""
        request.params[PAGE] = self._next

    def update_state(self, response: Response, data: list[Page] | None = None) -> None:
        """Counts the page's records and decides which page is next, if any. The page is the only item of `data`.

        Raises:
            BadAnswer: The API sends page 1 for all pages.
            ApiUnavailable: It failed at a page, and the list may go on there.
        """
        [page] = data or []
        self._pages_read += 1
        if self._end_check:
            self._check_end(page, self._end_check)
        elif self._step_back:
            self._read_again(page, self._step_back)
        elif page.refusal:
            self._look_for_end(page)
        else:
            self._read(page)

    def update_request(self, request: Request) -> None:
        """Asks for the next page, and makes the session prefetch later ones."""
        if self.has_next_page:
            size = self._end_check.size if self._end_check else self._per_page
            request.params.update({PAGE: self._next, PER_PAGE: size})
            one = self._end_check or self._step_back or self._pass.one_at_a_time
            ahead = 1 if one else max(1, self._pages_ahead())
            self._pass.in_order &= ahead == 1 or self._session.limits.window == 1
            self._session.prefetch(request, range(self._next, self._next + ahead))

    def _pages_ahead(self) -> int:
        """How many pages to fetch ahead, the next one included: no more than the list seems to have."""
        ahead, total = self._max_ahead, self._total
        if total is not None:
            ahead = min(ahead, total // self._largest_page + 2 - self._next)
            if self._last_page < self._per_page:  # the list may be shorter than its total
                ahead = min(ahead, self._pass.furthest)
        elif self._last_page < self._largest_page:
            return 0
        if total is None or self.report.mode is ReadMode.incremental:
            # The read may end sooner, and pages fetched ahead would be wasted requests.
            ahead = min(ahead, self._pass.furthest // GUESSED_SHARE)
        return ahead

    @property
    def _total(self) -> int | None:
        """The API's total, unless there is none, or it was found to be too low."""
        return self.report.rows_in_source

    @property
    def _counted_all(self) -> bool:
        """Whether exactly the records that the API counts were received. A total that changed cannot be compared."""
        return not self._total_changed and self.report.rows_read == self._total

    @property
    def _ends_short(self) -> bool:
        """Whether the last page was shorter than others, if there is no total. A cap would follow a full page."""
        return self._total is None and self._last_page < self._largest_page and self._allows(0)

    def _read(self, page: Page) -> None:
        """Takes the next page, and goes back if records moved to earlier ones meanwhile."""
        before, had_all = self._pass.total, self._counted_all
        is_first_time = page.number > self._pass.furthest
        new = self._count(page, is_first_time=is_first_time)
        fall = self._watch_total(page.total, too_low=had_all and new > 0)
        if is_first_time:
            added = (page.total or 0) - (before or 0) if self._total is not None else 0
            self._first_page = self._first_page or page.identity
            self._only_first_page &= page.identity == self._first_page
            self._pass.watch_repeats(page, new, max(0, added), is_full=len(page.records) == self._largest_page)
        self._max_ahead = self._max_ahead // 2 if fall else self._max_ahead + 1
        self._max_ahead = min(max(1, self._max_ahead), self._session.limits.window * WINDOWS_AHEAD)
        if fall and self._allows(1):
            can_start_over = not self._pass.in_order and self._pass.grown_at != page.number
            self._step_back = StepBack(page, before or 0, page.total or 0, can_start_over)
            self._next = page.number - 1
        else:
            self._pass.is_settled &= not fall
            self._go_on(page)

    def _read_again(self, page: Page, step: StepBack) -> None:
        """Takes a page that is read again, as records may have moved to it after it was read."""
        self._count(page, is_first_time=False)
        self._watch_total(page.total)
        next_page = step.after(page, can_go_on=self._allows(1))
        if next_page is None:
            self._step_back = None
            self._pass.is_settled &= step.is_settled
            self._go_on(step.page)
            return
        self._next = next_page
        if next_page == step.page.number:  # records were added, and pages fetched ahead are older than the one before
            self._step_back = None
            self._pages_read += self._session.discard_prefetched()
            self._pass.total, self._pass.grown_at = page.total, next_page
            self._max_ahead = 1

    def _go_on(self, page: Page) -> None:
        """Goes on after a page."""
        if page.total is not None:
            self._pass.total = page.total
        if self._at_end(page):
            self._end_of_pass()
        elif self._pass.repeats < STUCK_AFTER and (self._pass.last_new_page == page.number or self._allows(0)):
            self._next = page.number + 1
            if page.records and self._pass.empty_page == page.number - 1:
                self._next, self._pass.empty_page = page.number - 1, -1
        elif self._only_first_page and not self._total_changed and self._largest_page == self._per_page:
            raise BadAnswer(
                f"{self.report.resource}, page {page.number}: the same records as page 1. "
                f"The API seems to ignore the query parameter `{PAGE}`"
            )
        elif self._ends_short:
            self._end_of_pass()
        else:
            self._end_at_cap(self._pass.last_new_page, "later ones had no new record")

    def _at_end(self, page: Page) -> bool:
        if not page.records:
            # One empty page may be in the middle of a list.
            is_second = page.number > self._pass.last_new_page + 1
            return page.number == self._pass.furthest and (self._counted_all or is_second or not self._allows(0))
        # A total may be that of this page, or of the pages so far: it is believed at a page that is not full.
        is_short = len(page.records) < self._largest_page
        is_last = is_short or self._pass.repeats >= STUCK_AFTER or self._pass.number > self._first_pass
        return is_last and self._counted_all

    def _count(self, page: Page, *, is_first_time: bool) -> int:
        """Counts records. Returns how many of a page that is read for the first time are new in this pass."""
        ids = [id_ for id_ in page.ids if id_ is not None]
        new = self._ids.add(ids, self._pass.number if is_first_time else 0)
        unidentified = self._pass.take(page, new) if is_first_time else 0
        self._unidentified = max(self._unidentified, self._pass.unidentified)
        self.report.ids_read, self.report.rows_read = self._ids.total, self._ids.total + self._unidentified
        if not is_first_time:
            return 0
        self._last_page = len(page.records)
        self._largest_page = max(self._largest_page, self._last_page)
        self._pages_listed = max(self._pages_listed, page.number if new else 0)
        return new + unidentified

    def _watch_total(self, total: int | None, *, too_low: bool = False) -> int:
        """Stores the API's total and returns by how much it is lower than that of the page before."""
        if total is None or not self._total_is_trusted or (total == 0 and self._pass.received):
            return 0  # 0 on an empty page is the total of that page, or of a list of which nothing is left
        fall = self._pass.fall_to(total)
        if too_low or self._pass.identified + self._pass.unidentified > total + self._pass.fallen:
            self._total_is_trusted, self.report.rows_in_source = False, None
            self.report.notes.append(f"More records received than the API counts ({total}): its total is ignored")
            return 0
        self._total_changed |= self.report.rows_in_source not in {None, total}
        self.report.rows_in_source = total
        return fall

    def _allows(self, requests: int) -> bool:
        """Whether so many requests are within the limit, besides one for each further page of this pass.

        A read takes fewer than three requests for each page, or a few more for a short list. Retries do not count.
        """
        rest_of_pass = max(1, self._pages_listed - self._pass.furthest + 1)
        limit = max(3 * self._pages_listed - 1, 2 * self._pages_listed + 4)
        return self._pages_read + rest_of_pass + requests <= limit

    def _end_of_pass(self) -> None:
        this, read, total = self._pass, self.report.rows_read, (self._total and self._pass.lowest) or 0
        found_new = read > this.read_before
        # Some APIs always list a certain record twice, and count it twice.
        repeats_only = not found_new and this.received >= total and not this.repeated_page
        is_short = read < total and self._total_is_exact and not repeats_only
        pages = (self._total_is_exact and self._total is None and this.lowest_pages) or 0
        reason = ""
        if not this.is_settled:
            reason = "records were added and removed faster than the list could be read"
        elif this.repeated_page and not total:
            self._end(f"page {this.repeated_page} repeated records from earlier pages")
            return
        elif is_short:
            reason = self.report.short_of(f"{total} records", read)
        elif pages > max(1, self._pages_listed):
            reason = self.report.short_of(f"{pages} pages", self._pages_listed)
        elif this.has_repeats and found_new and not self._counted_all and (this.is_shuffled or not this.in_order):
            reason = "records were added or moved while the list was read"
        if self.report.mode is ReadMode.incremental:
            self._end("" if this.is_settled else reason)
        elif reason and (found_new or not this.is_settled) and self._begin_pass(one_at_a_time=not is_short):
            self.report.notes.append(f"{reason[:1].upper()}{reason[1:].partition('. ')[0]}. Reading the list again")
        else:
            self._end(reason)

    def _begin_pass(self, *, one_at_a_time: bool) -> bool:
        """Starts at page 1 again, if so many requests are within the limit."""
        self._pages_read += self._session.discard_prefetched()
        self._pass.furthest = self._pages_listed
        if not self._allows(self._pages_listed):
            return False
        self._pass = ListPass(self._pass.number + 1, one_at_a_time=one_at_a_time, read_before=self.report.rows_read)
        self._next = 1
        return True

    def _look_for_end(self, refused: Page) -> None:
        """Asks for a page of another size, if that may show that the list has ended before a page that was refused."""
        check = EndCheck.before(refused, self._pass.received, self._largest_page)
        may_have_ended = self._last_page > 0 and (self._counted_all or self._total is None)
        if may_have_ended and check.expected and self._allows(1):
            self._pages_read += self._session.discard_prefetched()
            self._end_check, self._next = check, check.number
        else:
            self._end_at_refused(refused, has_ended=not self._last_page or (self._ends_short and not refused.failure))

    def _check_end(self, page: Page, check: EndCheck) -> None:
        """Takes the page of another size."""
        self._end_check, before = None, self.report.rows_read
        if page.refusal:
            has_ended = self._ends_short and not check.refused.failure
        else:
            self._count(page, is_first_time=False)
            is_same = self.report.rows_read == before and page.total == self._pass.total
            has_ended = is_same and len(page.records) == check.expected
        self._end_at_refused(check.refused, has_ended=has_ended)

    def _end_at_refused(self, refused: Page, *, has_ended: bool) -> None:
        if has_ended:
            self._end_of_pass()
        elif refused.failure and not self._counted_all:
            raise refused.failure
        else:
            self._end_at_cap(refused.number - 1, str(refused.refusal))

    def _end_at_cap(self, pages: int, why: str) -> None:
        self._end(self.report.capped(pages, why, counted_all=self._counted_all))
        self.report.notes.append(f"Incomplete: {self.report.incomplete_because}")

    def _end(self, incomplete_because: str = "") -> None:
        self._has_next_page = False
        rejected = f"{self._unidentified} records have no usable id" if self._unidentified else ""
        self.report.incomplete_because = incomplete_because or rejected
