"""What the maker of a record has at hand."""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from crm_assets.sandbox.chance import Dice, mix
from crm_assets.sandbox.links import Links
from crm_assets.sandbox.names import Names
from crm_assets.sandbox.slots import Entry
from crm_assets.sandbox.times import DAY, timestamp
from crm_assets.sandbox.words import CONTACT_MODES, NOTES, TAGS

Record: TypeAlias = dict[str, Any]
"""A record as the API answers it, ready for JSON."""

_LATEST = 301
_LONGEST_SILENCE: Final = 60 * DAY
_SHARE_OF_A_TAG: Final = 0.1


@dataclass(frozen=True)
class Scene:
    """One record's circumstances.

    Attributes:
        entry: The record's id and instants.
        links: What it points at.
        names: What people, companies and streets are called.
        lasting: Draws what stays for the record's life.
        latest: Draws what a user's change changes.
    """

    entry: Entry
    links: Links
    names: Names
    lasting: Dice
    latest: Dice

    def computed(self, field: int, limit: int) -> int:
        """Give a number, 0 up to but not including a limit, that changes without moving ``updated_at``.

        Args:
            field: Tells the computed fields of a record apart.
            limit: How many numbers there are.
        """
        return mix(self.entry.seed, self.entry.computed_at, field) % limit

    def note(self) -> str | None:
        """Draw the last note; half of the records have none."""
        return self.latest.maybe(0.5, self.latest.pick(NOTES))

    def tags(self) -> list[str]:
        """Draw some tags; mostly none or one."""
        return [tag for tag in TAGS if self.latest.happens(_SHARE_OF_A_TAG)]

    def last_activity(self) -> tuple[str | None, str | None]:
        """Draw when and by what means somebody was last in touch; both or neither."""
        silence, mode = self.latest.number(0, _LONGEST_SILENCE), self.latest.pick(CONTACT_MODES)
        if silence < _LONGEST_SILENCE // 3:
            return None, None
        return timestamp(self.entry.updated_at - silence), mode

    def paths(self, resource: str, *names: str) -> dict[str, str]:
        """Give the relative paths of a record's sub-resources."""
        return {name: f"/v1/{resource}/{self.entry.id}/{name}" for name in names}


@dataclass(frozen=True)
class Stage:
    """What all scenes share; the generators among it, since starting one over is cheaper than making one.

    Attributes:
        links: What records point at.
        names: What people, companies and streets are called.
        lasting: See `Scene`.
        latest: See `Scene`.
    """

    links: Links
    names: Names
    lasting: Dice
    latest: Dice

    def scene(self, entry: Entry) -> Scene:
        """Set the scene for a record, with both generators started over; it ends the scene before."""
        self.lasting.seed(entry.seed)
        self.latest.seed(mix(entry.seed, entry.version, _LATEST))
        return Scene(entry, self.links, self.names, self.lasting, self.latest)
