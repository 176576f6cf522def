"""The records of the five lists, as tables of fields, with oddities of real installations."""

from collections.abc import Callable, Mapping
from math import exp
from typing import Any, TypeAlias

from crm_assets.sandbox.chance import DAY, HOUR, MINUTE, Dice, fraction, mix, office_time, timestamp
from crm_assets.sandbox.links import FIRST_USER_ID, STAGE_ID, WORDS, Links, domain
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

Table: TypeAlias = Mapping[str, Any]
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
    return timestamp(scene.entry.updated_at - silence), scene.latest.pick(WORDS.contact_modes)


def worth(count: int, mean: int) -> tuple[int, str]:
    """The number of deals and their total amount."""
    return count, str(float(count * mean))


def person(scene: Scene) -> tuple[Any, ...]:
    """Makes the names and the e-mail addresses of a contact, in the domain of its account."""
    first, last = scene.links.person(scene.entry.seed)
    employer = scene.links.account(scene.entry)
    host = domain(scene.links.company(employer.seed)) if employer else "mail.example"
    email = f"{first}.{last}@{host}".lower().replace(" ", "")
    emails = [{"id": scene.entry.id + 1, "value": email, "is_primary": True, "label": None, "_destroy": False}]
    return first, last, f"{first} {last}", email, emails, email if scene.lasting.happens(0.2) else None


def sale(scene: Scene) -> tuple[str | None, ...]:
    """Makes the name, the amounts and the dates of a deal. Half of the deals are above 6,000."""
    dice, buyer = scene.lasting, scene.links.account(scene.entry)
    product = dice.pick(WORDS.products)
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
    met = (start, timestamp(scene.entry.due), scene.lasting.pick(WORDS.locations))
    return met * 2 if scene.lasting.happens(0.1) else (*met, None, None, None)


LATE, SLACK, _HOUR, MOVED = range(401, 405)
SHARE_LATE = 0.35


def due_date(seed: int, entered: int, leaves: int, version: int) -> int:
    """Computes when a task is due. Most are done in time, the others become overdue; some changes move the date."""
    slack = fraction(seed, SLACK)
    late = fraction(seed, LATE) < SHARE_LATE
    due = leaves - int(slack * 16 * DAY) if late else leaves + int(slack * 25 * DAY)
    due += (0, 0, 0, 0, 0, 0, 1, 7)[mix(seed, version, MOVED) % 8] * DAY
    return max(office_time(due, mix(seed, _HOUR)), entered + HOUR)


def end_date(seed: int, entered: int, *_: int) -> int:
    """Computes when a meeting ended: the latest office hour before it entered the list of past ones."""
    hour = mix(seed, _HOUR)
    end = office_time(entered, hour)
    return end if end <= entered else office_time(entered - DAY, hour)


STAMPS: Table = {"id": lambda s: s.entry.id, "created_at": at("created_at"), "updated_at": at("updated_at")}
NOTED: Table = {
    **STAMPS,
    "recent_note": latest(*WORDS.notes, *[None] * len(WORDS.notes)),
    "tags": latest(*[()] * len(WORDS.tags), *WORDS.tags),
    "last_assigned_at": at("created_at"),
    "links": lambda s: {name: f"/v1/records/{s.entry.id}/{name}" for name in ("notes", "tasks", "appointments")},
    "is_deleted": False,
    "avatar active_sales_sequences completed_sales_sequences team_user_ids": None,
}
REACHED: Table = {
    **NOTED,
    "address": some(0.8, lambda s: f"{s.lasting.number(1, 900)} {s.lasting.pick(s.links.streets)}"),
    "city state country zipcode": pick(*WORDS.places),
    "facebook": some(0.3, lambda s: str(s.lasting.number(10**14, 10**15))),
    "twitter": some(0.2, lambda s: f"crm_{s.entry.seed % 10**6}"),
    "linkedin": some(0.3, lambda s: f"https://social.example/in/{s.entry.seed % 10**9:09d}"),
    "last_contacted last_contacted_mode last_contacted_via_sales_activity last_contacted_sales_activity_mode": (
        lambda s: activity(s) * 2
    ),
    "won_deals_count won_deals_amount": lambda s: worth(s.latest.number(0, 5), s.latest.number(500, 20_000, 50)),
    "open_deals_count open_deals_amount": lambda s: worth(s.computed(1, 4), 500 + 50 * s.computed(2, 400)),
    "web_form_ids": None,
}

ACCOUNT: Table = {
    **REACHED,
    "name": lambda s: s.links.company(s.entry.seed),
    "website": some(0.8, lambda s: f"https://{domain(s.links.company(s.entry.seed))}"),
    "phone": some(0.8, phone),
    "number_of_employees": pick(1, 11, 51, 201, 501, 1001, None),
    "annual_revenue": some(0.8, lambda s: s.lasting.number(85_000, 90_000_000)),
    "owner_id": lambda s: s.links.owner_id(s.entry),
    "parent_sales_account_id": some(1 / 12, lambda s: s.links.parent_id(s.entry)),
    "custom_field": custom(
        segment=pick("A", "B", None), net_terms=pick(14, 30), discount=pick(0, 0.125), reference=latest(True, False)
    ),
}
CONTACT: Table = {
    **REACHED,
    "first_name last_name display_name email emails work_email": person,
    "job_title": some(0.9, lambda s: f"{s.latest.pick(WORDS.levels)} {s.latest.pick(WORDS.functions)}"),
    "time_zone": some(0.7, pick(*WORDS.time_zones)),
    "work_number": some(0.7, phone),
    "mobile_number": some(0.6, phone),
    "last_seen": some(0.4, lambda s: timestamp(s.entry.updated_at - s.latest.number(0, 30 * DAY))),
    "locale": pick("en", None, None),
    "lead_score": lambda s: s.computed(3, 100),
    "customer_fit": pick(*range(6)),
    **{
        f"{which}_{what}": some(0.6, pick(*choices))
        for which in ("first", "last", "latest")
        for what, choices in WORDS.origins.items()
    },
    "medium": some(0.6, pick(*WORDS.origins["medium"])),
    "external_id": some(0.25, lambda s: f"C-{s.entry.id % 10**9:09d}"),
    "subscription_status": latest(1, 1, 1, 1, 2, 0, 3, 4),
    "sms_subscription_status": latest(2, 2, 1, 0),
    "whatsapp_subscription_status": latest(2, 2, 1, 0),
    "subscription_types": latest("", "", "2", "2;5", "2;3;5"),
    "custom_field": custom(language=pick("en", None), seats=latest(*range(60)), decision_maker=pick(True, False)),
    "system_tags phone_numbers": [],
    "mcr_id": lambda s: 2**60 + s.entry.seed % 2**60,
    "last_seen_chat first_seen_chat total_sessions keyword unsubscription_reason other_unsubscription_reason": None,
}
DEAL: Table = {
    **NOTED,
    "name amount expected_deal_value base_currency_amount closed_date expected_close": sale,
    "stage_updated_time": at("entered"),
    "probability": 100,
    "deal_stage_id": STAGE_ID,
    "deal_pipeline_id": pick(402_000_023_450, 402_000_023_451),
    "age": lambda s: (s.entry.computed_at - s.entry.created_at) // DAY,
    "custom_field": custom(contract_months=pick(12, 24), competitor=pick("us", None), signed=latest(True, False)),
    "last_contacted_via_sales_activity last_contacted_sales_activity_mode": activity,
    "forecast_category": pick(1, 1, 2, None),
    "deal_prediction": lambda s: 6 * s.computed(1, 2),
    "deal_prediction_last_updated_at": at("computed_at"),
    "has_products": pick(True, False, False),
    # In a real CRM these two hold keys to conversations. They are here to test that they are never stored.
    "fc_widget_collaboration collaboration": tokens,
    "web_form_id upcoming_activities_time last_deal_prediction freddy_forecast_metrics rotten_days": None,
}
TASK: Table = {
    **STAMPS,
    "title targetables": lambda s: about(s, s.lasting.pick(WORDS.errands), 0.6, 0.6),
    "description": latest("", *WORDS.notes),
    "due_date": at("due"),
    "owner_id creater_id": lambda s: (s.links.owner_id(s.entry) or FIRST_USER_ID,) * 2,
    "updater_id": lambda s: s.latest.pick(s.links.users)["id"],
    "task_type_id": pick(402_000_031_001, 402_000_031_002, 402_000_031_003, None),
    "status": 0,
    "outcome_id completed_date": None,
}
APPOINTMENT: Table = {
    **STAMPS,
    "title targetables": lambda s: about(s, s.lasting.pick(WORDS.occasions), 0.9),
    "description": latest(None, *WORDS.notes),
    "from_date end_date location checkedin_at checkedout_at checkedout_location": meeting,
    "time_zone": pick(*WORDS.time_zones),
    "is_allday": pick(True, *[False] * 32),
    "creater_id": lambda s: s.links.owner_id(s.entry) or FIRST_USER_ID,
    "outcome_id": latest(402_000_041_001, 402_000_041_002, None),
    "provider": pick("crm", "crm", "crm", "google", "office365"),
    "can_checkin can_checkin_checkout": False,
    "latitude longitude checkedin_duration checkedout_latitude checkedout_longitude conference_id": None,
}
