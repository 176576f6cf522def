"""The state of a read: the ids received, one pass over the list, a step back within it, and a check of its end."""

import sqlite3
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from crm_assets.source.http.page import Identity, Page

IDS_IN_MEMORY = 32 * 1024
"""KiB of ids that are kept in memory: two million or more. Two sets of Python would take 140 bytes an id."""


class ReceivedIds:
    """The different ids received in a read, in a temporary table that SQLite keeps on disk if it is large.

    Attributes:
        total: How many there are.
    """

    def __init__(self) -> None:
        """Starts empty."""
        self.total = 0

    @cached_property
    def _stored(self) -> sqlite3.Connection:
        # Opened when the first page comes: dlt copies what it is configured with, to validate it.
        connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, connection.close)
        connection.executescript(
            f"pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -{IDS_IN_MEMORY}; "
            "create table ids (id integer primary key, pass integer not null); begin"
        )
        return connection

    def add(self, ids: Iterable[int], number: int = 0) -> int:
        """Adds the ids of a page. Returns how many are new in the pass of this number; with 0 they are of no pass."""
        rows = [(number, id_) for id_ in ids]
        added = self._changed("insert or ignore into ids (pass, id) values (?, ?)", rows)
        self.total += added
        if not number or added == len(rows):
            return added
        return added + self._changed("update ids set pass = ?1 where id = ?2 and pass <> ?1", rows)

    def _changed(self, statement: str, rows: list[tuple[int, int]]) -> int:
        before = self._stored.total_changes
        self._stored.executemany(statement, rows)
        return self._stored.total_changes - before


@dataclass
class ListPass:
    """One pass over the list, from page 1.

    Attributes:
        number: Counts from 1.
        one_at_a_time: Whether no page is fetched ahead.
        read_before: Records received before the pass.
        identified: Different ids received in the pass.
        unidentified: Records without a usable id.
        received: Records received, also those that came twice.
        furthest: The last page taken, pages read again not counted.
        total: The API's total of the last page taken.
        lowest: The lowest total.
        lowest_pages: The lowest number of pages that the API counts.
        fallen: By how much totals fell, from page to page.
        is_settled: Whether all pages that records may have moved to were read again.
        in_order: Whether each page was asked for after the answer to the page before it.
        has_repeats: Whether records came twice though the total did not rise.
        is_shuffled: Whether some of them are not the end of the page before, where added records push them.
        last_identity: The identity of the last page taken.
        unidentified_pages: Hashes of pages with records without a usable id, and no new one with an id.
        repeats: How many pages in a row had the same records as the one before.
        last_new_page: The last page with a new record.
        repeated_page: A full page without a new record; 0 if there is none.
        grown_at: The last page that was read again because records were added.
        empty_page: An empty page, which is read again if others follow it; -1 if there is none.
    """

    number: int = 1
    one_at_a_time: bool = False
    read_before: int = 0
    identified: int = 0
    unidentified: int = 0
    received: int = 0
    furthest: int = 0
    total: int | None = None
    lowest: int | None = None
    lowest_pages: int | None = None
    fallen: int = 0
    is_settled: bool = True
    in_order: bool = True
    has_repeats: bool = False
    is_shuffled: bool = False
    last_identity: Identity = ()
    repeats: int = 0
    last_new_page: int = 0
    repeated_page: int = 0
    grown_at: int = 0
    empty_page: int = -1
    unidentified_pages: set[int] = field(default_factory=set)

    @property
    def is_reordered(self) -> bool:
        """Whether records came twice, and none that were added before them explain it."""
        return bool(self.repeated_page) or (self.has_repeats and self.is_shuffled)

    def take(self, page: Page, new: int) -> int:
        """Counts a page that is read for the first time in the pass. Returns how many records have no usable id.

        Args:
            page: The page.
            new: How many of its ids are new in the pass.
        """
        unidentified = page.ids.count(None)
        if unidentified and not new:
            identity = hash(page.identity)
            unidentified = 0 if identity in self.unidentified_pages else unidentified
            self.unidentified_pages.add(identity)
        self.identified += new
        self.unidentified += unidentified
        self.received += len(page.records)
        self.furthest = page.number
        if page.pages is not None:
            self.lowest_pages = min(page.pages, page.pages if self.lowest_pages is None else self.lowest_pages)
        self.empty_page = self.empty_page if page.records else page.number
        return unidentified

    def fall_to(self, total: int) -> int:
        """Takes note of the API's total. Returns by how much it is lower than that of the page taken last."""
        fall = max(0, (self.total or 0) - total)
        self.fallen += fall
        self.lowest = min(total, total if self.lowest is None else self.lowest)
        return fall

    def watch_repeats(self, page: Page, new: int, added: int, *, is_full: bool) -> None:
        """Notices pages without new records, and records that came twice though none was added before them.

        Args:
            page: The page.
            new: How many of its records are new in the pass.
            added: By how much the total has risen since the page before.
            is_full: Whether no page of the read had more records.
        """
        known = len(page.records) - new
        is_explained = known <= added
        # A record that came twice in one page has not moved.
        before, ids = (list(dict.fromkeys(identity)) for identity in (self.last_identity, page.identity))
        came_before = max(0, len(ids) - new)
        self.is_shuffled |= ids[:came_before] != before[len(before) - came_before :]
        self.repeats = self.repeats + 1 if known and page.identity == self.last_identity else 0
        self.last_identity = page.identity
        if new:
            self.last_new_page = page.number
            self.has_repeats |= not is_explained
        elif not is_explained and is_full:
            self.repeated_page = page.number
        elif not is_explained:
            # The last page, sent for later ones as well, shows nothing.
            self.has_repeats |= not self.repeats


@dataclass
class StepBack:
    """Pages that are read again, since the total of `page` is lower than that of the page before it.

    Records may have moved to earlier pages after these were read. They are looked for page by page towards the front:
    so none of them can move past the read while the list goes on shrinking.

    Attributes:
        page: The page with the lower total. The read goes on after it.
        before: The total of the page before it.
        ceiling: The total of the page taken last. A higher one means that records were added.
        can_start_over: Whether `page` may be read again, if it is the older one of the two.
        is_settled: Whether all records that moved were found.
    """

    page: Page
    before: int
    ceiling: int
    can_start_over: bool
    is_settled: bool = True
    _found_up_to: int = 0
    _is_repeated: bool = False

    def after(self, page: Page, *, can_go_on: bool) -> int | None:
        """The number of the page to read after this one; None if the step back has ended.

        Args:
            page: The page that was read again.
            can_go_on: Whether one more request is allowed.
        """
        next_page: int | None = None
        if page.total is None or page.refusal:
            self.is_settled = False
        elif page.total <= self.ceiling:
            self._found_up_to += len(page.records)
            self.ceiling, self._is_repeated = page.total, False
            if page.number == 1 or self._found_up_to >= self.before - page.total:
                return None
            next_page = page.number - 1
        elif not self._is_repeated:
            # Replicas of the API may count differently: another answer may come from the other one.
            self._is_repeated, next_page = True, page.number
        elif self.can_start_over and page.number == self.page.number - 1:
            next_page = self.page.number
        self.is_settled &= next_page is not None and can_go_on
        return next_page if can_go_on else None


@dataclass(frozen=True)
class EndCheck:
    """A page of another size, which shows whether a list has ended before a page that the API refuses.

    If it has, this page begins with the last records received, and has no others. A cap would refuse it as well.

    Attributes:
        refused: The page that the API refuses.
        size: The records of a page to ask for.
        number: The page to ask for.
        expected: The records that it has if the list has ended; 0 if no size would show that.
    """

    refused: Page
    size: int
    number: int
    expected: int

    @classmethod
    def before(cls, refused: Page, received: int, largest_page: int) -> "EndCheck":
        """The check with the fewest records. `received`: before the refused page, of `largest_page` a page at most."""
        sizes = (*range(largest_page - 1, 1, -1), largest_page + 1)
        size = min(sizes, key=lambda size: received % size or size)
        return cls(refused, size, received // size + 1, received % size)
