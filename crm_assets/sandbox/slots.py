"""What stands in a slot at an instant.

A list of N records has N slots. In each, one record after the other lives its life: it enters the
list, changes at instants of its own, and in most slots leaves again, whereupon the next one takes its
place under a new id. All of it follows from the seed and the instant, so that any instant can be
looked at without the history before it, and the list keeps its size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from math import ceil
from typing import Final, NamedTuple

from crm_assets.sandbox.chance import Beat, fraction, last_beat, mix
from crm_assets.sandbox.times import DAY, MINUTE

WORLD_BEGIN: Final = int(datetime(2025, 1, 1, tzinfo=timezone.utc).timestamp())
"""The first instant that can be looked at; seconds since 1970, UTC."""

MOST_SLOTS: Final = 1_000_000
"""The most slots of one list: an id is made of a second and a slot's number."""

_FIRST_ID_AT: Final = int(datetime(2015, 1, 1, tzinfo=timezone.utc).timestamp())
_IMPORT_SPAN: Final = 730 * DAY  # lasting records were entered in the two years before the world began
_NEVER: Final = 2**62

_LIFE, _UPDATE, _COMPUTED, _LEAD, _EARLY = range(1, 6)

# Few records see most of the changes. Of every forty slots one changes every few minutes, three
# every few days, eight in one stroke with their neighbours (a bulk edit: equal instants), the rest
# once in months.
_CYCLE: Final = 40
_WARM_SLOTS: Final = range(1, 4)
_BULK_SLOTS: Final = range(4, 12)
_BULK_GROUP: Final = 5 * _CYCLE
_HOT_PERIOD: Final = 10 * MINUTE
_WARM_PERIOD: Final = 2 * DAY
_COLD_PERIOD: Final = 120 * DAY
_COMPUTED_PERIOD: Final = DAY

# A client's clock that runs ahead makes one in this many records look updated before it was created.
_EARLY_EVERY: Final = 150
_EARLY_SECONDS: Final = 40


@dataclass(frozen=True)
class Tempo:
    """How the records of one list come and go. Durations are in seconds.

    Attributes:
        life: How long a record stays, on average.
        lasting: The share of the slots whose record never leaves, so that others can refer to it.
        brief: The share of the slots whose records stay for ``brief_life`` on average only.
        brief_life: How long those stay.
        lead: The least and the most time from a record's creation to its entering the list.
        touched: Whether entering the list is itself a change of the record.
        due: When it is due, from its seed, entering, leaving and version; what the list is ordered by
            if the API takes no other order.
    """

    life: int
    lasting: float
    brief: float
    brief_life: int
    lead: tuple[int, int] = (0, 0)
    touched: bool = True
    due: Callable[[int, int, int, int], int] | None = None


class Entry(NamedTuple):
    """The record in a slot between two changes. Instants are seconds since 1970, UTC.

    Attributes:
        slot: The slot's number, from 0.
        seed: The record's own seed: what follows from it stays for the record's life.
        id: The record's id, used by no other record of the list at any time.
        entered: When it entered the list.
        created_at: When it was created.
        updated_at: When somebody changed it last.
        version: Which change that was; 0 if none.
        computed_at: When its computed fields were computed last.
        due: What an unsortable list is ordered by; 0 in others.
        until: When the next change of any kind comes.
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


@dataclass(frozen=True)
class Slots:
    """The slots of one list, as a pure function of time.

    Attributes:
        seed: The seed of this list.
        size: How many slots there are.
        tempo: How their records come and go.
    """

    seed: int
    size: int
    tempo: Tempo

    @property
    def lasting(self) -> int:
        """How many slots, counted from the first, hold a record that never leaves."""
        return ceil(self.size * self.tempo.lasting)

    def entry(self, slot: int, now: int) -> Entry:
        """Tell what stands in a slot at an instant (seconds since 1970, UTC)."""
        seed, tempo = mix(self.seed, slot), self.tempo
        life = self._life(slot, seed, now)
        record = mix(seed, life.number)
        least, most = tempo.lead
        created = life.at - least - int((most - least) * fraction(record, _LEAD) ** 2)
        floor = life.at if tempo.touched else created
        update = self._update(slot, seed, now)
        if update.at >= floor:
            version, updated = update.number, update.at
        else:
            version, updated = 0, floor
            if mix(record, _EARLY) % _EARLY_EVERY == 0:
                updated -= 1 + record % _EARLY_SECONDS
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
            until=min(life.until, update.until, computed.until),
        )

    def _life(self, slot: int, seed: int, now: int) -> Beat:
        """The life of the record in a slot: its number, when it enters, when it leaves."""
        if slot < self.lasting:
            return Beat(0, WORLD_BEGIN - 1 - mix(seed, _LIFE) % _IMPORT_SPAN, _NEVER)
        brief = slot >= self.size - ceil(self.size * self.tempo.brief)
        mean = self.tempo.brief_life if brief else self.tempo.life
        return last_beat(mix(seed, _LIFE), _spread(mean, seed), now)

    def _update(self, slot: int, seed: int, now: int) -> Beat:
        """The latest change that somebody made in a slot."""
        place = slot % _CYCLE
        if place == 0:
            return last_beat(mix(seed, _UPDATE), _HOT_PERIOD, now)
        if place in _WARM_SLOTS:
            return last_beat(mix(seed, _UPDATE), _WARM_PERIOD, now)
        if place in _BULK_SLOTS:
            seed = mix(self.seed, slot // _BULK_GROUP)
        return last_beat(mix(seed, _UPDATE), _spread(_COLD_PERIOD, seed), now)


def _spread(mean: int, seed: int) -> int:
    """Half to one and a half times a mean: slots that differ make for many short and few long ages."""
    return mean // 2 + seed % mean
