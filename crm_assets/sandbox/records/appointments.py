"""A meeting that has taken place."""

from typing import Final

from crm_assets.sandbox.chance import mix
from crm_assets.sandbox.scene import Record, Scene
from crm_assets.sandbox.times import DAY, MINUTE, office_time, timestamp
from crm_assets.sandbox.words import NOTES, TIME_ZONES

_HOUR: Final = 501
_LENGTHS: Final = (30 * MINUTE, 30 * MINUTE, 45 * MINUTE, 60 * MINUTE, 90 * MINUTE)
_OCCASIONS: Final = (
    "Demo",
    "Kick-off",
    "Quarterly review",
    "Lunch",
    "Negotiation",
    "Site visit",
    "First call",
)
_LOCATIONS: Final = ("Video call", "Their office", "Our office", "Trade fair", None)
_OUTCOME_IDS: Final = (402_000_041_001, 402_000_041_002, None)
_PROVIDERS: Final = ("crm", "crm", "crm", "google", "office365")


def end_date(seed: int, entered: int, leaves: int, version: int) -> int:  # noqa: ARG001 - a Tempo's due
    """Tell when a meeting ended: the latest office hour of its own before it entered the past ones.

    Args:
        seed: The appointment's seed.
        entered: When it entered the list; seconds since 1970, UTC.
        leaves: When it will leave; has no part in it.
        version: Its latest change; has no part in it.
    """
    hour = mix(seed, _HOUR)
    end = office_time(entered, hour)
    return end if end <= entered else office_time(entered - DAY, hour)


def appointment(scene: Scene) -> Record:
    """Make the record of a past appointment."""
    entry, dice, links = scene.entry, scene.lasting, scene.links
    person, owner_id = links.contact(entry), links.owner_id(entry) or links.users[0]["id"]
    occasion = dice.pick(_OCCASIONS)
    targets: list[Record] = []
    title = occasion
    if person and dice.happens(0.9):
        title = f"{occasion} with {' '.join(scene.names.person(person.seed))}"
        targets.append({"id": person.id, "type": "Contact"})
        employer = links.account(person)
        if employer:
            targets.append({"id": employer.id, "type": "SalesAccount"})
    start = entry.due - dice.pick(_LENGTHS)
    location = dice.pick(_LOCATIONS)
    visited = location == "Their office" and dice.happens(0.5)
    return {
        "id": entry.id,
        "title": title,
        "description": scene.latest.pick((None, *NOTES)),
        "location": location,
        "from_date": timestamp(start),
        "end_date": timestamp(entry.due),
        "time_zone": dice.pick(TIME_ZONES),
        "is_allday": dice.happens(0.03),
        "creater_id": owner_id,
        "outcome_id": scene.latest.pick(_OUTCOME_IDS),
        "latitude": None,
        "longitude": None,
        "checkedin_at": timestamp(start) if visited else None,
        "checkedin_duration": None,
        "checkedout_at": timestamp(entry.due) if visited else None,
        "checkedout_location": location if visited else None,
        "checkedout_latitude": None,
        "checkedout_longitude": None,
        "can_checkin": False,
        "can_checkin_checkout": False,
        "provider": dice.pick(_PROVIDERS),
        "conference_id": None,
        "targetables": targets,
        "created_at": timestamp(entry.created_at),
        "updated_at": timestamp(entry.updated_at),
    }
