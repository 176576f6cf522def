"""The records of the five lists, as tables of fields, with oddities of real installations."""

import re
from typing import Any

from crm_assets.sandbox import fields, words
from crm_assets.sandbox.chance import DAY, HOUR, fraction, mix, office_time, timestamp
from crm_assets.sandbox.fields import Table, at, custom, latest, pick, some
from crm_assets.sandbox.links import FIRST_USER_ID, STAGE_ID

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
    "recent_note": latest(*words.NOTES, *[None] * len(words.NOTES)),
    "tags": latest(*[()] * len(words.TAGS), *words.TAGS),
    "last_assigned_at": at("created_at"),
    "links": lambda s: {name: f"/v1/records/{s.entry.id}/{name}" for name in ("notes", "tasks", "appointments")},
    "is_deleted": False,
    "avatar active_sales_sequences completed_sales_sequences team_user_ids": None,
}
REACHED: Table = {
    **NOTED,
    "address": some(0.8, lambda s: f"{s.lasting.number(1, 900)} {s.lasting.pick(s.links.streets)}"),
    "city state country zipcode": pick(*words.PLACES),
    "facebook": some(0.3, lambda s: str(s.lasting.number(10**14, 10**15))),
    "twitter": some(0.2, lambda s: f"crm_{s.entry.seed % 10**6}"),
    "linkedin": some(0.3, lambda s: f"https://social.example/in/{s.entry.seed % 10**9:09d}"),
    "last_contacted last_contacted_mode last_contacted_via_sales_activity last_contacted_sales_activity_mode": (
        lambda s: fields.activity(s) * 2
    ),
    "won_deals_count won_deals_amount": lambda s: fields.worth(s.latest.number(0, 5), s.latest.number(500, 20_000, 50)),
    "open_deals_count open_deals_amount": lambda s: fields.worth(s.computed(1, 4), 500 + 50 * s.computed(2, 400)),
    "web_form_ids": None,
}

ACCOUNT: Table = {
    **REACHED,
    "name": lambda s: s.links.company(s.entry.seed),
    "website": some(0.8, lambda s: f"https://{words.domain(s.links.company(s.entry.seed))}"),
    "phone": some(0.8, fields.phone),
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
    "first_name last_name display_name email emails work_email": fields.person,
    "job_title": some(0.9, lambda s: f"{s.latest.pick(words.LEVELS)} {s.latest.pick(words.FUNCTIONS)}"),
    "time_zone": some(0.7, pick(*words.TIME_ZONES)),
    "work_number": some(0.7, fields.phone),
    "mobile_number": some(0.6, fields.phone),
    "last_seen": some(0.4, lambda s: timestamp(s.entry.updated_at - s.latest.number(0, 30 * DAY))),
    "locale": pick("en", None, None),
    "lead_score": lambda s: s.computed(3, 100),
    "customer_fit": pick(*range(6)),
    **{
        f"{which}_{what}": some(0.6, pick(*choices))
        for which in ("first", "last", "latest")
        for what, choices in words.ORIGINS.items()
    },
    "medium": some(0.6, pick(*words.ORIGINS["medium"])),
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
    "name amount expected_deal_value base_currency_amount closed_date expected_close": fields.sale,
    "stage_updated_time": at("entered"),
    "probability": 100,
    "deal_stage_id": STAGE_ID,
    "deal_pipeline_id": pick(402_000_023_450, 402_000_023_451),
    "age": lambda s: (s.entry.computed_at - s.entry.created_at) // DAY,
    "custom_field": custom(contract_months=pick(12, 24), competitor=pick("us", None), signed=latest(True, False)),
    "last_contacted_via_sales_activity last_contacted_sales_activity_mode": fields.activity,
    "forecast_category": pick(1, 1, 2, None),
    "deal_prediction": lambda s: 6 * s.computed(1, 2),
    "deal_prediction_last_updated_at": at("computed_at"),
    "has_products": pick(True, False, False),
    # In a real CRM these two hold keys to conversations. They are here to test that they are never stored.
    "fc_widget_collaboration collaboration": fields.tokens,
    "web_form_id upcoming_activities_time last_deal_prediction freddy_forecast_metrics rotten_days": None,
}
TASK: Table = {
    **STAMPS,
    "title targetables": lambda s: fields.about(s, s.lasting.pick(words.ERRANDS), 0.6, 0.6),
    "description": latest("", *words.NOTES),
    "due_date": at("due"),
    "owner_id creater_id": lambda s: (s.links.owner_id(s.entry) or FIRST_USER_ID,) * 2,
    "updater_id": lambda s: s.latest.pick(s.links.users)["id"],
    "task_type_id": pick(402_000_031_001, 402_000_031_002, 402_000_031_003, None),
    "status": 0,
    "outcome_id completed_date": None,
}
APPOINTMENT: Table = {
    **STAMPS,
    "title targetables": lambda s: fields.about(s, s.lasting.pick(words.OCCASIONS), 0.9),
    "description": latest(None, *words.NOTES),
    "from_date end_date location checkedin_at checkedout_at checkedout_location": fields.meeting,
    "time_zone": pick(*words.TIME_ZONES),
    "is_allday": pick(True, *[False] * 32),
    "creater_id": lambda s: s.links.owner_id(s.entry) or FIRST_USER_ID,
    "outcome_id": latest(402_000_041_001, 402_000_041_002, None),
    "provider": pick("crm", "crm", "crm", "google", "office365"),
    "can_checkin can_checkin_checkout": False,
    "latitude longitude checkedin_duration checkedout_latitude checkedout_longitude conference_id": None,
}


ODD, WHICH, UNKNOWN = range(501, 504)
ONE_NULL_IN = 12
KEPT = ("id", "updated_at")
TIME = re.compile(r"\d{4}-\d\d-\d\d(T|$)")

# Stem of a field's name -> makes its value from a random number. Each stem has one type.
STEMS = (
    ("region", lambda draw: ("North", "East", "South", "West")[draw % 4]),
    ("seat_count", lambda draw: draw % 500),
    ("usage_ratio", lambda draw: draw % 10_000 / 10_000),
    ("is_partner", lambda draw: draw % 3 == 0),
    ("billing", lambda draw: {"currency": ("EUR", "USD")[draw % 2], "days": draw % 60, "contact": None}),
    ("cost_center", lambda draw: f"{draw % 10_000:05d}"),
    ("renewal_on", lambda draw: f"2027-{draw % 12 + 1:02d}-{draw % 28 + 1:02d}"),
    ("channels", lambda draw: ["mail", "phone", "chat"][: draw % 4]),
)


def add_unknown_fields(record: dict[str, Any], seed: int, count: int) -> None:
    """Adds undeclared fields. A field's values have the same JSON type in all records, or are null."""
    for number in range(1, count + 1):
        stem, make = STEMS[(number - 1) % len(STEMS)]
        draw = mix(seed, UNKNOWN, number)
        record[f"{stem}_{number}"] = make(draw >> 8) if draw % ONE_NULL_IN else None


def change_a_type(record: dict[str, Any], seed: int, share: float) -> None:
    """Changes one field of a share of the records to another JSON type, or a time to a string that is not a time."""
    if fraction(seed, ODD) < share:
        names = [name for name, value in record.items() if isinstance(value, int | str) and name not in KEPT]
        name = names[mix(seed, WHICH) % len(names)]
        record[name] = _of_another_type(record[name])


def _of_another_type(value: int | str) -> int | str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    return "n/a" if TIME.match(value) else len(value)
