"""The generated CRM: five lists at an instant, and the answers to questions about them."""

from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Final

import orjson

from crm_assets.sandbox.chance import Dice, mix
from crm_assets.sandbox.including import included
from crm_assets.sandbox.links import Links
from crm_assets.sandbox.listing import Listing
from crm_assets.sandbox.names import Names
from crm_assets.sandbox.resources import ACCOUNTS, CONTACTS, Resource, shares
from crm_assets.sandbox.scene import Stage
from crm_assets.sandbox.slots import WORLD_BEGIN, Entry, Slots

SORTS: Final = ("id", "created_at", "updated_at")
"""The fields a sortable list can be ordered by; any other is taken for the first."""


@dataclass(frozen=True)
class Query:
    """What a client asks of a list.

    Attributes:
        page: The page, from 1.
        per_page: How many records a page has.
        sort: The field to order by; has no effect on lists that cannot be sorted.
        descending: Whether the greatest comes first.
        include: What to side-load.
    """

    page: int = 1
    per_page: int = 25
    sort: str = SORTS[0]
    descending: bool = False
    include: frozenset[str] = frozenset()


class World:
    """A CRM of generated records, as a pure function of seed, size and instant."""

    def __init__(self, rows: int, seed: int) -> None:
        """Lay out the slots; records are made when asked for.

        Args:
            rows: How many records there are in all five lists together.
            seed: Any integer; another seed makes another CRM.
        """
        self._listings = {
            resource: Listing(Slots(mix(seed, number), size, resource.tempo), partial(self._render, resource))
            for number, (resource, size) in enumerate(shares(rows).items())
        }
        names = Names(seed)
        self._links = Links(seed, self._listings[ACCOUNTS], self._listings[CONTACTS], names)
        self._stage = Stage(self._links, names, Dice(), Dice())

    def move(self, now: int) -> None:
        """Look at the CRM at an instant.

        Args:
            now: Seconds since 1970, UTC.

        Raises:
            ValueError: If the instant lies before the world begins.
        """
        if now < WORLD_BEGIN:
            raise ValueError("the sandbox has no records before 2025-01-01T00:00:00Z")
        for listing in self._listings.values():
            listing.move(now)

    def answer(self, resource: Resource, query: Query) -> bytes:
        """Answer a question about a list, as JSON; a page past the end has no records."""
        listing = self._listings[resource]
        sort = "due"
        if resource.sortable:
            sort = query.sort if query.sort in SORTS else SORTS[0]
        start = (query.page - 1) * query.per_page
        entries = listing.page(
            sort,
            descending=query.descending and resource.sortable,
            start=start,
            stop=start + query.per_page,
        )
        bodies = [listing.body(entry) for entry in entries]
        arrays: list[bytes] = []
        added = included(resource, query.include, entries, self._links)
        if added:
            bodies = [_extended(body, fields) for body, fields in zip(bodies, added.fields, strict=True)]
            arrays = [b'"%b":%b,' % (key.encode(), orjson.dumps(rows)) for key, rows in added.arrays.items()]
        meta = {"total": len(listing)}
        if resource.counts_pages:
            meta = {"total_pages": ceil(len(listing) / query.per_page), **meta}
        return b'{%b"%b":[%b],"meta":%b}' % (
            b"".join(arrays),
            resource.data_key.encode(),
            b",".join(bodies),
            orjson.dumps(meta),
        )

    def _render(self, resource: Resource, entry: Entry) -> bytes:
        body = orjson.dumps(resource.record(self._stage.scene(entry)))
        # A copy is as large as the body; orjson's own buffer is kept at twice that and more.
        return bytes(memoryview(body))


def _extended(body: bytes, fields: dict[str, object]) -> bytes:
    """Add fields to a JSON object without parsing it."""
    return body[:-1] + b"," + orjson.dumps(fields)[1:]
