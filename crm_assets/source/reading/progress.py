"""The progress of a read."""

from collections.abc import Callable
from dataclasses import dataclass


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
