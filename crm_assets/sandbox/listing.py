"""One list of the CRM at a given time.

A list of N records has N slots. Each slot holds one record after another: a record enters the list,
changes at its own times, and in most slots leaves again. The next one then takes its place with a new
id. All of it depends only on the seed and the time, so the list can be computed for any time without
its history, and it keeps its size.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from math import ceil
from operator import attrgetter
from typing import Final, NamedTuple

from crm_assets.sandbox.chance import DAY, MINUTE, Beat, fraction, last_beat, mix

WORLD_BEGIN: Final = int(datetime(2025, 1, 1, tzinfo=timezone.utc).timestamp())  # the earliest time that can be shown
MOST_SLOTS: Final = 1_000_000  # of one list: an id consists of a second and a slot number
_FIRST_ID_AT: Final = int(datetime(2015, 1, 1, tzinfo=timezone.utc).timestamp())
_IMPORT_SPAN: Final = 730 * DAY  # lasting records were entered in the two years before the world began
_NEVER: Final = 2**62
_LIFE, _UPDATE, _COMPUTED, _LEAD, _EARLY = range(1, 6)

# Few records have most of the changes. Of every forty slots one changes every few minutes, three
# every few days, eight together with their neighbours (a bulk edit, with equal times), the others
# every few months.
_CYCLE, _BULK_GROUP = 40, 200
_HOT, _WARM, _BULK = range(1), range(1, 4), range(4, 12)
_HOT_PERIOD, _WARM_PERIOD, _COLD_PERIOD, _COMPUTED_PERIOD = 10 * MINUTE, 2 * DAY, 120 * DAY, DAY
_BRIEF, _BRIEF_LIFE = 0.01, 25 * MINUTE  # a few slots' records leave within the hour

# A client's clock that runs ahead makes one in this many records look updated before it was created.
_EARLY_EVERY, _EARLY_SECONDS = 150, 40


@dataclass(frozen=True)
class Tempo:
    """How the records of one list come and go. Durations are in seconds, shares from 0 to 1."""

    life: int  # how long a record stays, on average
    lasting: float = 0  # share of slots whose record never leaves, so that others can link to it
    lead: tuple[int, int] = (0, 0)  # the shortest and longest time from a record's creation until it enters the list
    touched: bool = True  # whether entering the list changes updated_at
    # A record's due time, from its seed, entering, leaving and version; set if the list is always in that order.
    due: Callable[[int, int, int, int], int] | None = None


class Entry(NamedTuple):
    """The record in a slot between two changes."""

    slot: int
    seed: int  # values that depend on it never change
    id: int  # unique within the list for all time
    entered: int  # when it entered the list
    created_at: int
    updated_at: int
    version: int  # number of the last change by a user; 0 if none
    computed_at: int  # time when its computed fields last changed
    due: int
    until: int  # time of the next change of any kind


class Listing:
    """The records of one list at a time that mostly moves forward.

    Sorted orders and rendered records are cached as long as they are valid.
    """

    def __init__(self, seed: int, size: int, tempo: Tempo, render: Callable[[Entry, frozenset[str]], bytes]) -> None:
        """Start without a time: ``move`` sets it. ``render`` writes a record as JSON."""
        self.size = size
        self.lasting = ceil(size * tempo.lasting)  # the number of slots, from the first, whose record never leaves
        self.entries: list[Entry] = []
        self._seed, self._tempo, self._render = seed, tempo, render
        self._bodies: dict[frozenset[str], dict[int, bytes]] = {}
        self._orders: dict[tuple[str, bool], list[Entry]] = {}
        self._now = self._until = 0

    def move(self, now: int) -> None:
        """Set another time. Entries that did not change are kept."""
        if self._now <= now < self._until:
            return
        if now < self._now or not self.entries:
            self.entries = [self._entry(slot, now) for slot in range(self.size)]
            self._bodies.clear()
        else:
            for slot in [entry.slot for entry in self.entries if entry.until <= now]:
                self.entries[slot] = self._entry(slot, now)
                for bodies in self._bodies.values():
                    bodies.pop(slot, None)
        self._orders.clear()
        self._now = now
        self._until = min((entry.until for entry in self.entries), default=_NEVER)

    def ordered(self, sort: str, *, descending: bool) -> Sequence[Entry]:
        """Give all entries sorted by one of their attributes, and by id if it is equal."""
        order = self._orders.get((sort, descending))
        if order is None:
            order = sorted(self.entries, key=attrgetter(sort, "id"), reverse=descending)
            self._orders[sort, descending] = order
        return order

    def body(self, entry: Entry, wanted: frozenset[str]) -> bytes:
        """Give a record as a JSON object, with the wanted ``include`` fields."""
        bodies = self._bodies.setdefault(wanted, {})
        if entry.slot not in bodies:
            bodies[entry.slot] = self._render(entry, wanted)
        return bodies[entry.slot]

    def _entry(self, slot: int, now: int) -> Entry:
        """Give the record in a slot at a given time."""
        seed, tempo = mix(self._seed, slot), self._tempo
        life = self._life(slot, seed, now)
        record = mix(seed, life.number)
        least, most = tempo.lead
        created = life.at - least - int((most - least) * fraction(record, _LEAD) ** 2) if most else life.at
        version, updated, until = self._update(slot, seed, now)
        floor = life.at if tempo.touched else created
        if updated < floor:
            early = mix(record, _EARLY) % _EARLY_EVERY == 0
            version, updated = 0, floor - (1 + record % _EARLY_SECONDS if early else 0)
        computed = last_beat(mix(seed, _COMPUTED), _COMPUTED_PERIOD, now)
        return Entry(
            slot=slot,
            seed=record,
            id=(life.at - _FIRST_ID_AT) * MOST_SLOTS + slot,
            entered=life.at,
            created_at=created,
            updated_at=updated,
            version=version,
            computed_at=max(computed.at, life.at),
            due=tempo.due(record, life.at, life.until, version) if tempo.due else 0,
            until=min(life.until, until, computed.until),
        )

    def _life(self, slot: int, seed: int, now: int) -> Beat:
        """The life of the record in a slot: its number, and when it enters and leaves."""
        if slot < self.lasting:
            return Beat(0, WORLD_BEGIN - 1 - mix(seed, _LIFE) % _IMPORT_SPAN, _NEVER)
        brief = slot >= self.size - ceil(self.size * _BRIEF)
        return last_beat(mix(seed, _LIFE), _spread(_BRIEF_LIFE if brief else self._tempo.life, seed), now)

    def _update(self, slot: int, seed: int, now: int) -> Beat:
        """The latest change by a user in a slot."""
        place = slot % _CYCLE
        if place in _BULK:
            seed = mix(self._seed, slot // _BULK_GROUP)
        period = _HOT_PERIOD if place in _HOT else _WARM_PERIOD if place in _WARM else _spread(_COLD_PERIOD, seed)
        return last_beat(mix(seed, _UPDATE), period, now)


def _spread(mean: int, seed: int) -> int:
    """Half to one and a half times a mean. Different means per slot give many short and few long ages."""
    return mean // 2 + seed % mean
