"""One list of the CRM at an instant: its records' entries, their order, their answers' bytes."""

from collections.abc import Callable, Sequence
from operator import attrgetter

from crm_assets.sandbox.slots import Entry, Slots

_Order = list[tuple[int, int, int]]


class Listing:
    """The entries of one list, kept at an instant that mostly moves forward.

    Orders and rendered records are made when first asked for. When time moves on, those of the few
    slots that changed are made anew and all others kept.
    """

    def __init__(self, slots: Slots, render: Callable[[Entry], bytes]) -> None:
        """Begin with no instant at all; ``move`` sets one.

        Args:
            slots: What stands where at which instant.
            render: Writes a record as JSON.
        """
        self.slots = slots
        self.entries: list[Entry] = []
        self._render = render
        self._bodies: list[bytes | None] = [None] * slots.size
        self._orders: dict[str, _Order] = {}
        self._now = self._until = 0

    def __len__(self) -> int:
        """How many records the list has."""
        return self.slots.size

    def move(self, now: int) -> None:
        """Look at another instant, in seconds since 1970, UTC."""
        if self._now <= now < self._until:
            return
        if now < self._now or not self.entries:
            stale = range(self.slots.size)
            self.entries = [self.slots.entry(slot, now) for slot in stale]
            self._bodies = [None] * self.slots.size
            self._orders.clear()
        else:
            self._replace([entry.slot for entry in self.entries if entry.until <= now], now)
        self._now = now
        self._until = min((entry.until for entry in self.entries), default=2**62)

    def page(self, sort: str, *, descending: bool, start: int, stop: int) -> Sequence[Entry]:
        """Give the entries from one position up to another, in an order.

        Args:
            sort: The attribute of an entry to order by; equal ones are ordered by id.
            descending: Whether the greatest comes first.
            start: The first position, from 0.
            stop: The position after the last one; may lie past the end.
        """
        if sort not in self._orders:
            self._orders[sort] = sorted(_key(entry, sort) for entry in self.entries)
        order = self._orders[sort]
        if descending:
            size = len(order)
            keys = order[max(0, size - stop) : max(0, size - start)][::-1]
        else:
            keys = order[start:stop]
        return [self.entries[slot] for _, _, slot in keys]

    def body(self, entry: Entry) -> bytes:
        """Give a record as a JSON object."""
        body = self._bodies[entry.slot]
        if body is None:
            body = self._bodies[entry.slot] = self._render(entry)
        return body

    def _replace(self, stale: list[int], now: int) -> None:
        fresh = [self.slots.entry(slot, now) for slot in stale]
        for entry in fresh:
            self.entries[entry.slot] = entry
            self._bodies[entry.slot] = None
        changed = set(stale)
        for sort, order in self._orders.items():
            # Sorting a list that is all but sorted takes one pass.
            order[:] = [key for key in order if key[2] not in changed]
            order.extend(_key(entry, sort) for entry in fresh)
            order.sort()


def _key(entry: Entry, sort: str) -> tuple[int, int, int]:
    return attrgetter(sort)(entry), entry.id, entry.slot
