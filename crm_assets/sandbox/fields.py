"""Turns tables of fields into records, and makes fields that need more than a line of code."""

from collections.abc import Callable
from math import exp
from typing import Any, TypeAlias

from crm_assets.sandbox import words
from crm_assets.sandbox.chance import DAY, MINUTE, Dice, mix, office_time, timestamp
from crm_assets.sandbox.links import Links
from crm_assets.sandbox.listing import Entry

LATEST = 301
FIRST_OPEN_DEAL_ID = 390_000_000_000_000


class Scene:
    """The state that makers of fields use. One scene serves all records in turn, which is faster than one each."""

    entry: Entry

    def __init__(self, links: Links) -> None:
        """Makes a scene without a record."""
        self.links = links
        self.lasting = Dice()  # draws values that never change
        self.latest = Dice()  # draws values that change with each change by a user

    def begin(self, entry: Entry) -> None:
        """Starts with the record of another entry."""
        self.entry = entry
        self.lasting.seed(entry.seed)
        self.latest.seed(mix(entry.seed, entry.version, LATEST))

    def computed(self, field: int, limit: int) -> int:
        """A number from 0 up to, but not including, a limit, that changes while `updated_at` does not."""
        return mix(self.entry.seed, self.entry.computed_at, field) % limit


Maker: TypeAlias = Callable[[Scene], Any]
"""Makes the value of a field, or the values of several related fields."""

Table: TypeAlias = dict[str, Any]
"""One or several field names, separated by spaces -> their maker, or their value in all records."""


def record_maker(table: Table) -> Callable[[Scene], dict[str, Any]]:
    """Makes a function that makes records from a table of fields."""
    template = {name: None if callable(made) else made for key, made in table.items() for name in key.split()}
    single = [(key, make) for key, make in table.items() if callable(make) and " " not in key]
    together = [(key.split(), make) for key, make in table.items() if callable(make) and " " in key]

    def record(scene: Scene) -> dict[str, Any]:
        made = template.copy()
        for name, make in single:
            made[name] = make(scene)
        for names, make in together:
            made.update(zip(names, make(scene), strict=True))
        return made

    return record


def pick(*options: Any) -> Maker:
    """Makes a field that has one of some values and never changes."""
    count = len(options)  # not Dice.pick: most time is spent here
    return lambda scene: options[int(scene.lasting.random() * count)]


def latest(*options: Any) -> Maker:
    """Makes a field that has one of some values until the record's next change."""
    count = len(options)
    return lambda scene: options[int(scene.latest.random() * count)]


def some(share: float, make: Maker) -> Maker:
    """Makes a field that is set in a share of the records, 0 to 1, and null in the others."""
    return lambda scene: make(scene) if scene.lasting.random() < share else None


def at(instant: str) -> Maker:
    """Makes a field with a time of the entry."""
    return lambda scene: timestamp(getattr(scene.entry, instant))


def custom(**makers: Maker) -> Maker:
    """Makes an object of custom fields."""
    named = [(f"cf_{name.replace('_', '-')}", make) for name, make in makers.items()]
    return lambda scene: {name: make(scene) for name, make in named}


def phone(scene: Scene) -> str:
    """Draws a telephone number that is reserved for fiction."""
    return f"+1-{scene.lasting.number(201, 990)}-555-01{scene.lasting.number(0, 100):02d}"


def activity(scene: Scene) -> tuple[str | None, str | None]:
    """Draws the time and the kind of the last contact; both or neither."""
    silence = scene.latest.number(-20 * DAY, 40 * DAY)
    if silence < 0:
        return None, None
    return timestamp(scene.entry.updated_at - silence), scene.latest.pick(words.CONTACT_MODES)


def worth(count: int, mean: int) -> tuple[int, str]:
    """The number of deals and their total amount."""
    return count, str(float(count * mean))


def person(scene: Scene) -> tuple[Any, ...]:
    """Makes the names and the e-mail addresses of a contact, in the domain of its account."""
    first, last = scene.links.person(scene.entry.seed)
    employer = scene.links.account(scene.entry)
    host = words.domain(scene.links.company(employer.seed)) if employer else "mail.example"
    email = f"{first}.{last}@{host}".lower().replace(" ", "")
    emails = [{"id": scene.entry.id + 1, "value": email, "is_primary": True, "label": None, "_destroy": False}]
    return first, last, f"{first} {last}", email, emails, email if scene.lasting.happens(0.2) else None


def sale(scene: Scene) -> tuple[str | None, ...]:
    """Makes the name, the amounts and the dates of a deal. Half of the deals are above 6,000."""
    dice, buyer = scene.lasting, scene.links.account(scene.entry)
    product = dice.pick(words.PRODUCTS)
    name = f"{scene.links.company(buyer.seed)} - {product}" if buyer else product
    amount = float(round(exp(dice.gauss(8.7, 0.9)) / 50) * 50 + 50)
    in_base_currency = round(amount * dice.pick((1.0, 1.0, 1.0, 1.08, 1.27)), 2)
    closed = office_time(scene.entry.entered - dice.pick((0, 0, 0, 0, 0, 1, 2, 5)) * DAY, 0)  # some are back-dated
    expected = timestamp(closed + dice.number(-20, 20) * DAY)[:10] if dice.happens(0.9) else None
    return name, str(amount), str(amount), str(in_base_currency), timestamp(closed)[:10], expected


def tokens(scene: Scene) -> tuple[dict[str, Any], dict[str, Any]]:
    """Makes strings that look like signed web tokens, but give no access. Half of the deals have their own room."""
    names = ("convo_token", "auth_token", "encoded_jwt_token")
    keys = {name: f"eyJhbGciOiJIUzI1NiJ9.{scene.lasting.number(10**50, 10**51)}" for name in names}
    room = {"id": str(scene.entry.id), "title": "Deal room", "convo_token": keys["convo_token"]}
    return keys, room if scene.lasting.happens(0.5) else {}


def about(scene: Scene, phrase: str, share: float, deals: float = 0) -> tuple[str, list[dict[str, Any]]]:
    """Makes the title and the targets of a task or an appointment: a contact and its account, a deal, or none."""
    contact = scene.links.contact(scene.entry)
    title = phrase.format(" ".join(scene.links.person(contact.seed)) if contact else "a new lead")
    if contact and scene.lasting.happens(share):
        account = scene.links.account(contact)
        targets = [{"id": contact.id, "type": "Contact"}]
        return title, [*targets, {"id": account.id, "type": "SalesAccount"}] if account else targets
    deal = {"id": FIRST_OPEN_DEAL_ID + scene.entry.seed % 10**12, "type": "Deal"}  # still open: in no list here
    return title, [deal] if scene.lasting.happens(deals) else []


def meeting(scene: Scene) -> tuple[str | None, ...]:
    """Makes the time and the place of a meeting, and of the check-in if there was one."""
    start = timestamp(scene.entry.due - scene.lasting.pick((30, 30, 45, 60, 90)) * MINUTE)
    met = (start, timestamp(scene.entry.due), scene.lasting.pick(words.LOCATIONS))
    return met * 2 if scene.lasting.happens(0.1) else (*met, None, None, None)
