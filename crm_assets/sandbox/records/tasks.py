"""Something to be done: an open task."""

from typing import Final

from crm_assets.sandbox.chance import fraction, mix
from crm_assets.sandbox.scene import Record, Scene
from crm_assets.sandbox.slots import Entry
from crm_assets.sandbox.times import DAY, HOUR, office_time, timestamp
from crm_assets.sandbox.words import NOTES

_LATE, _SLACK, _HOUR, _MOVED = range(401, 405)
_SHARE_DONE_LATE: Final = 0.35
_LATEST: Final = 16 * DAY
_EARLIEST: Final = 25 * DAY
_SHARE_ABOUT_A_CONTACT: Final = 0.6
_SHARE_ABOUT_A_DEAL: Final = 0.6  # of the others
_DAYS_MOVED: Final = (0, 0, 0, 0, 0, 0, 1, 7)

_ERRANDS: Final = (
    "Call {}",
    "Send the quote to {}",
    "Follow up with {}",
    "Prepare the demo for {}",
    "Ask {} for a reference",
    "Check the contract with {}",
    "Remind {} of the renewal",
    "Introduce {} to support",
)
_TASK_TYPE_IDS: Final = (402_000_031_001, 402_000_031_002, 402_000_031_003, None)
_FIRST_OPEN_DEAL_ID: Final = 390_000_000_000_000


def due_date(seed: int, entered: int, leaves: int, version: int) -> int:
    """Tell when a task is due: most are done in time, the others stand overdue for a while.

    Args:
        seed: The task's seed.
        entered: When it was created; seconds since 1970, UTC, as all instants here.
        leaves: When it will be done.
        version: Its latest change; some changes move the date.
    """
    slack = fraction(seed, _SLACK)
    late = fraction(seed, _LATE) < _SHARE_DONE_LATE
    due = leaves - int(slack * _LATEST) if late else leaves + int(slack * _EARLIEST)
    due += _DAYS_MOVED[mix(seed, version, _MOVED) % len(_DAYS_MOVED)] * DAY
    return max(office_time(due, mix(seed, _HOUR)), entered + HOUR)


def task(scene: Scene) -> Record:
    """Make the record of an open task."""
    entry, dice, links = scene.entry, scene.lasting, scene.links
    person, owner_id = links.contact(entry), links.owner_id(entry) or links.users[0]["id"]
    name = " ".join(scene.names.person(person.seed)) if person else "a new lead"
    return {
        "id": entry.id,
        "title": dice.pick(_ERRANDS).format(name),
        "description": scene.latest.pick(("", *NOTES)),
        "due_date": timestamp(entry.due),
        "owner_id": owner_id,
        "status": 0,
        "creater_id": owner_id,
        "updater_id": scene.latest.pick(links.users)["id"],
        "outcome_id": None,
        "task_type_id": dice.pick(_TASK_TYPE_IDS),
        "completed_date": None,
        "targetables": _targets(scene, person),
        "created_at": timestamp(entry.created_at),
        "updated_at": timestamp(entry.updated_at),
    }


def _targets(scene: Scene, person: Entry | None) -> list[Record]:
    """Draw what a task is about: a contact and its account, a deal, or nothing."""
    if person and scene.lasting.happens(_SHARE_ABOUT_A_CONTACT):
        employer = scene.links.account(person)
        targets = [{"id": person.id, "type": "Contact"}]
        return [*targets, {"id": employer.id, "type": "SalesAccount"}] if employer else targets
    if scene.lasting.happens(_SHARE_ABOUT_A_DEAL):
        # A task is mostly about a deal still to be won; such a deal is in no list served here.
        return [{"id": _FIRST_OPEN_DEAL_ID + scene.entry.seed % 10**12, "type": "Deal"}]
    return []
