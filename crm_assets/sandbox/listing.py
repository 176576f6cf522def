"""One list of the CRM at a given time.

A list of N records has N slots. Each slot holds one record after another: a record enters the list,
changes at its own times, and in most slots leaves again. The next one then takes its place with a new
id. All of it depends only on the seed and the time, so the list can be computed for any time without
its history, and it keeps its size.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from math import ceil
from operator import attrgetter
from typing import Any, NamedTuple

from crm_assets.sandbox.chance import DAY, MINUTE, Beat, fraction, last_beat, mix

WORLD_BEGIN = int(datetime(2025, 1, 1, tzinfo=timezone.utc).timestamp())
"""The earliest time that can be shown."""

MAX_SLOTS = 1_000_000
"""Slots of one list: an id consists of a second and a slot number."""

FIRST_ID_AT = int(datetime(2015, 1, 1, tzinfo=timezone.utc).timestamp())
IMPORT_SPAN = 730 * DAY
"""Lasting records were entered in the two years before the world began."""

NEVER = 2**62
LIFE, UPDATE, COMPUTED, LEAD, EARLY = range(1, 6)

# Few records have most of the changes. Of forty slots one changes every few minutes, three every few days, eight
# together with their neighbours (a bulk edit, with equal times), the others every few months.
CYCLE, BULK_GROUP = 40, 200
HOT, WARM, BULK = range(1), range(1, 4), range(4, 12)
HOT_PERIOD, WARM_PERIOD, COLD_PERIOD, COMPUTED_PERIOD = 10 * MINUTE, 2 * DAY, 120 * DAY, DAY
BRIEF, BRIEF_LIFE = 0.01, 25 * MINUTE  # a few slots' records leave within the hour

# A client's clock that runs ahead makes one in this many records look updated before it was created.
EARLY_EVERY, EARLY_SECONDS = 150, 40


@dataclass(frozen=True, eq=False)
class Resource:
    """One list of the API, with everything in which it differs from the others. Durations are in seconds.

    Attributes:
        path: Its path.
        data_key: The answer's key for its records.
        percent: Its share of the CRM's records.
        table: Its fields.
        includes: Value of `include` -> the side-loaded array that it adds.
        life: How long a record stays, on average.
        lasting: Share of slots, 0 to 1, whose record never leaves, so that others can link to it.
        lead: The shortest and longest time from a record's creation until it enters the list.
        touched: Whether entering the list changes `updated_at`.
        due: A record's due time from its seed, entering, leaving and version; None unless the list is in that order.
    """

    path: str
    data_key: str
    percent: int
    table: Mapping[str, Any]
    includes: Mapping[str, str]
    life: int
    lasting: float = 0
    lead: tuple[int, int] = (0, 0)
    touched: bool = True
    due: Callable[[int, int, int, int], int] | None = None


class Entry(NamedTuple):
    """The record in a slot between two changes.

    Attributes:
        slot: The slot.
        seed: Values that depend on it never change.
        id: Unique within the list for all time.
        entered: When it entered the list.
        created_at: When it was created.
        updated_at: When a user changed it last.
        version: Number of that change; 0 if none.
        computed_at: When its computed fields last changed.
        due: Its due time, if the list has any.
        until: When it changes next in any way.
    """

    slot: int
    seed: int
    id: int
    entered: int
    created_at: int
    updated_at: int
    version: int
    computed_at: int
    due: int
    until: int


class Listing:
    """The records of one list at a time that mostly moves forward. Sorted orders are kept as long as they are valid.

    Attributes:
        size: Number of slots.
        lasting: Number of slots, from the first, whose record never leaves.
        entries: The records now.
    """

    def __init__(self, seed: int, size: int, resource: Resource) -> None:
        """Starts without a time: `move` sets it."""
        self.size = size
        self.lasting = ceil(size * resource.lasting)
        self.entries: list[Entry] = []
        self._seed, self._resource = seed, resource
        self._orders: dict[tuple[str, bool], list[Entry]] = {}
        self._now = self._until = 0

    def move(self, now: int) -> None:
        """Sets another time. Entries that did not change are the same objects."""
        if self._now <= now < self._until:
            return
        if now < self._now or not self.entries:
            self.entries = [self._entry(slot, now) for slot in range(self.size)]
        else:
            self.entries = [self._entry(entry.slot, now) if entry.until <= now else entry for entry in self.entries]
        self._orders.clear()
        self._now = now
        self._until = min((entry.until for entry in self.entries), default=NEVER)

    def ordered(self, sort: str, *, descending: bool) -> Sequence[Entry]:
        """All entries sorted by one of their attributes, and by id if it is equal."""
        if (sort, descending) not in self._orders:
            order = sorted(self.entries, key=attrgetter(sort, "id"), reverse=descending)
            self._orders[sort, descending] = order
        return self._orders[sort, descending]

    def _entry(self, slot: int, now: int) -> Entry:
        """The record in a slot at a given time."""
        seed, resource = mix(self._seed, slot), self._resource
        life = self._life(slot, seed, now)
        record = mix(seed, life.number)
        least, most = resource.lead
        created = life.at - least - int((most - least) * fraction(record, LEAD) ** 2) if most else life.at
        version, updated, until = self._update(slot, seed, now)
        floor = life.at if resource.touched else created
        if updated < floor:
            early = mix(record, EARLY) % EARLY_EVERY == 0
            version, updated = 0, floor - (1 + record % EARLY_SECONDS if early else 0)
        computed = last_beat(mix(seed, COMPUTED), COMPUTED_PERIOD, now)
        return Entry(
            slot=slot,
            seed=record,
            id=(life.at - FIRST_ID_AT) * MAX_SLOTS + slot,
            entered=life.at,
            created_at=created,
            updated_at=updated,
            version=version,
            computed_at=max(computed.at, life.at),
            due=resource.due(record, life.at, life.until, version) if resource.due else 0,
            until=min(life.until, until, computed.until),
        )

    def _life(self, slot: int, seed: int, now: int) -> Beat:
        """The life of the record in a slot: its number, and when it enters and leaves."""
        if slot < self.lasting:
            return Beat(0, WORLD_BEGIN - 1 - mix(seed, LIFE) % IMPORT_SPAN, NEVER)
        brief = slot >= self.size - ceil(self.size * BRIEF)
        return last_beat(mix(seed, LIFE), _spread(BRIEF_LIFE if brief else self._resource.life, seed), now)

    def _update(self, slot: int, seed: int, now: int) -> Beat:
        """The latest change by a user in a slot."""
        position = slot % CYCLE
        if position in BULK:
            seed = mix(self._seed, slot // BULK_GROUP)
        period = HOT_PERIOD if position in HOT else WARM_PERIOD if position in WARM else _spread(COLD_PERIOD, seed)
        return last_beat(mix(seed, UPDATE), period, now)


def _spread(mean: int, seed: int) -> int:
    """Half to one and a half times a mean. Different means per slot give many short and few long ages."""
    return mean // 2 + seed % mean
