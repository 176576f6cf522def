"""How a table of fields becomes a record, and the makers of fields that take more than a line."""

from collections.abc import Callable
from math import exp
from typing import Any, Final, TypeAlias

from crm_assets.sandbox import words
from crm_assets.sandbox.chance import DAY, MINUTE, Dice, mix, office_time, timestamp
from crm_assets.sandbox.links import Links
from crm_assets.sandbox.listing import Entry

_LATEST = 301
_FIRST_OPEN_DEAL_ID: Final = 390_000_000_000_000


class Scene:
    """What the makers of fields have at hand, for one record after the other: cheaper than one scene each."""

    entry: Entry

    def __init__(self, links: Links) -> None:
        """Make a scene without a record."""
        self.links = links
        self.lasting = Dice()  # draws what stays for the record's life
        self.latest = Dice()  # draws what a user's change changes

    def begin(self, entry: Entry) -> None:
        """Start over with the record of an entry."""
        self.entry = entry
        self.lasting.seed(entry.seed)
        self.latest.seed(mix(entry.seed, entry.version, _LATEST))

    def computed(self, field: int, limit: int) -> int:
        """Give a number from 0 up to, but not including, a limit, that changes without moving ``updated_at``."""
        return mix(self.entry.seed, self.entry.computed_at, field) % limit


Maker: TypeAlias = Callable[[Scene], Any]
"""Makes the value of a field, or those of several fields that go together."""

Table: TypeAlias = dict[str, Any]
"""A field's name, or several with spaces between, to their maker, or to the value that each has in all records."""


def record_maker(table: Table) -> Callable[[Scene], dict[str, Any]]:
    """Turn a table of fields into a maker of records."""
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
    """Make a field that is one of some values for the record's life."""
    count = len(options)  # not Dice.pick: most of the time goes here
    return lambda scene: options[int(scene.lasting.random() * count)]


def latest(*options: Any) -> Maker:
    """Make a field that is one of some values until the record's next change."""
    count = len(options)
    return lambda scene: options[int(scene.latest.random() * count)]


def some(share: float, make: Maker) -> Maker:
    """Make a field that is null but in a share of the records, 0 to 1."""
    return lambda scene: make(scene) if scene.lasting.random() < share else None


def at(instant: str) -> Maker:
    """Make a field that tells an instant of the entry."""
    return lambda scene: timestamp(getattr(scene.entry, instant))


def custom(**makers: Maker) -> Maker:
    """Make an object of the customer's own fields."""
    named = [(f"cf_{name.replace('_', '-')}", make) for name, make in makers.items()]
    return lambda scene: {name: make(scene) for name, make in named}


def phone(scene: Scene) -> str:
    """Draw a telephone number of those reserved for fiction."""
    return f"+1-{scene.lasting.number(201, 990)}-555-01{scene.lasting.number(0, 100):02d}"


def activity(scene: Scene) -> tuple[str | None, str | None]:
    """Draw when and by what means somebody was last in touch; both or neither."""
    silence = scene.latest.number(-20 * DAY, 40 * DAY)
    if silence < 0:
        return None, None
    return timestamp(scene.entry.updated_at - silence), scene.latest.pick(words.CONTACT_MODES)


def worth(count: int, mean: int) -> tuple[int, str]:
    """Tell how many deals there are and what they are worth together."""
    return count, str(float(count * mean))


def person(scene: Scene) -> tuple[Any, ...]:
    """Name a contact, with an address where its account has its mail."""
    first, last = scene.links.person(scene.entry.seed)
    employer = scene.links.account(scene.entry)
    host = words.domain(scene.links.company(employer.seed)) if employer else "mail.example"
    email = f"{first}.{last}@{host}".lower().replace(" ", "")
    emails = [{"id": scene.entry.id + 1, "value": email, "is_primary": True, "label": None, "_destroy": False}]
    return first, last, f"{first} {last}", email, emails, email if scene.lasting.happens(0.2) else None


def sale(scene: Scene) -> tuple[str | None, ...]:
    """Tell what was sold to whom, for how much and when; half of the deals are above 6,000."""
    dice, buyer = scene.lasting, scene.links.account(scene.entry)
    product = dice.pick(words.PRODUCTS)
    name = f"{scene.links.company(buyer.seed)} - {product}" if buyer else product
    amount = float(round(exp(dice.gauss(8.7, 0.9)) / 50) * 50 + 50)
    in_base_currency = round(amount * dice.pick((1.0, 1.0, 1.0, 1.08, 1.27)), 2)
    closed = office_time(scene.entry.entered - dice.pick((0, 0, 0, 0, 0, 1, 2, 5)) * DAY, 0)  # some are back-dated
    expected = timestamp(closed + dice.number(-20, 20) * DAY)[:10] if dice.happens(0.9) else None
    return name, str(amount), str(amount), str(in_base_currency), timestamp(closed)[:10], expected


def tokens(scene: Scene) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make what looks like signed web tokens; they open nothing. Half of the deals have a conversation of their own."""
    names = ("convo_token", "auth_token", "encoded_jwt_token")
    keys = {name: f"eyJhbGciOiJIUzI1NiJ9.{scene.lasting.number(10**50, 10**51)}" for name in names}
    room = {"id": str(scene.entry.id), "title": "Deal room", "convo_token": keys["convo_token"]}
    return keys, room if scene.lasting.happens(0.5) else {}


def about(scene: Scene, phrase: str, share: float, deals: float = 0) -> tuple[str, list[dict[str, Any]]]:
    """Tell what a task or an appointment is about: mostly a contact and its account, else a deal, or nothing."""
    contact = scene.links.contact(scene.entry)
    title = phrase.format(" ".join(scene.links.person(contact.seed)) if contact else "a new lead")
    if contact and scene.lasting.happens(share):
        account = scene.links.account(contact)
        targets = [{"id": contact.id, "type": "Contact"}]
        return title, [*targets, {"id": account.id, "type": "SalesAccount"}] if account else targets
    deal = {"id": _FIRST_OPEN_DEAL_ID + scene.entry.seed % 10**12, "type": "Deal"}  # still to be won: in no list here
    return title, [deal] if scene.lasting.happens(deals) else []


def meeting(scene: Scene) -> tuple[str | None, ...]:
    """Tell when and where a meeting was, and the same again if somebody checked in there."""
    start = timestamp(scene.entry.due - scene.lasting.pick((30, 30, 45, 60, 90)) * MINUTE)
    met = (start, timestamp(scene.entry.due), scene.lasting.pick(words.LOCATIONS))
    return met * 2 if scene.lasting.happens(0.1) else (*met, None, None, None)
