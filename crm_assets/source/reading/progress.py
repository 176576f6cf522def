"""How far a read has come, for those who watch it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A read after one more page.

    Attributes:
        pages: Pages received.
        pages_expected: Pages of the whole list; None while the API does not tell, or the read may stop earlier.
        records: Records received.
        records_expected: Records of the whole list; None as above.
        retries: Requests that repeated one that had failed.
    """

    pages: int
    pages_expected: int | None
    records: int
    records_expected: int | None
    retries: int


OnPage = Callable[[Progress], object]
"""Called on the thread that reads, after each page. It must return soon and raise nothing."""
