"""A person, most of them at an account."""

from typing import Final

from crm_assets.sandbox.scene import Record, Scene
from crm_assets.sandbox.slots import Entry
from crm_assets.sandbox.times import DAY, timestamp
from crm_assets.sandbox.words import (
    CAMPAIGNS,
    FUNCTIONS,
    LEVELS,
    MEDIA,
    SOURCES,
    TIME_ZONES,
    domain,
    pick_phone,
    pick_place,
)

# The marketing system in which a contact has its second id counts milliseconds from its own first day
# and leaves 22 bits to its machines: ids far above 2**53.
_FIRST_MCR_ID_AT: Final = 1_420_070_400  # 2015-01-01T00:00:00Z
_MACHINE_BITS: Final = 22
_MACHINES: Final = 1 << _MACHINE_BITS
_OPEN_DEALS, _OPEN_AMOUNT, _SCORE = 1, 2, 3
_PROVIDERS: Final = ("mail.example", "post.example", "inbox.example")
_SCORES: Final = 100


def contact(scene: Scene) -> Record:
    """Make the record of a contact."""
    entry, dice, links = scene.entry, scene.lasting, scene.links
    first_name, last_name = scene.names.person(entry.seed)
    employer = links.account(entry)
    latest = scene.latest
    place = pick_place(dice)
    host = domain(scene.names.company(employer.seed)) if employer else dice.pick(_PROVIDERS)
    email = f"{first_name}.{last_name}@{host}".lower().replace(" ", "")
    source, medium, campaign = (dice.maybe(0.6, dice.pick(names)) for names in (SOURCES, MEDIA, CAMPAIGNS))
    activity, mode = scene.last_activity()
    seen = dice.maybe(0.4, timestamp(entry.updated_at - latest.number(0, 30 * DAY)))
    created = timestamp(entry.created_at)
    won, opened = latest.pick((0, 0, 0, 1, 2)), max(0, scene.computed(_OPEN_DEALS, 5) - 2)
    return {
        "id": entry.id,
        "first_name": first_name,
        "last_name": last_name,
        "display_name": f"{first_name} {last_name}",
        "avatar": None,
        "job_title": dice.maybe(0.9, f"{latest.pick(LEVELS)} {dice.pick(FUNCTIONS)}"),
        "city": place.city,
        "state": place.state,
        "zipcode": place.zipcode,
        "country": place.country,
        "address": dice.maybe(0.7, scene.names.street(dice)),
        "email": email,
        "emails": [_primary(entry, email)],
        "time_zone": dice.maybe(0.7, dice.pick(TIME_ZONES)),
        "work_number": dice.maybe(0.7, pick_phone(dice)),
        "mobile_number": dice.maybe(0.6, pick_phone(dice)),
        "last_seen": seen,
        "last_seen_chat": None,
        "first_seen_chat": None,
        "total_sessions": None,
        "locale": dice.maybe(0.3, "en"),
        "lead_score": scene.computed(_SCORE, _SCORES),
        "customer_fit": dice.number(0, 6),
        "last_contacted": activity,
        "last_contacted_mode": mode,
        "last_contacted_sales_activity_mode": mode,
        "last_contacted_via_sales_activity": activity,
        "open_deals_count": opened,
        "open_deals_amount": str(float(opened * (500 + 50 * scene.computed(_OPEN_AMOUNT, 400)))),
        "won_deals_count": won,
        "won_deals_amount": str(float(won * latest.number(500, 20_000, 50))),
        "first_source": source,
        "first_medium": medium,
        "first_campaign": campaign,
        "last_source": source,
        "last_medium": medium,
        "last_campaign": campaign,
        "latest_source": source,
        "latest_medium": medium,
        "latest_campaign": campaign,
        "medium": medium,
        "keyword": None,
        "external_id": dice.maybe(0.25, f"C-{entry.id % 10**9:09d}"),
        "facebook": dice.maybe(0.3, dice.digits(15)),
        "twitter": dice.maybe(0.2, f"{first_name}_{last_name}".lower()),
        "linkedin": dice.maybe(0.3, f"https://social.example/in/{entry.id % 10**9:09d}"),
        "work_email": dice.maybe(0.2, email),
        "recent_note": scene.note(),
        "subscription_status": latest.pick((1, 1, 1, 1, 2, 0, 3, 4)),
        "sms_subscription_status": latest.pick((2, 2, 1, 0)),
        "whatsapp_subscription_status": latest.pick((2, 2, 1, 0)),
        "subscription_types": latest.pick(("", "", "2", "2;5", "2;3;5")),
        "unsubscription_reason": None,
        "other_unsubscription_reason": None,
        "active_sales_sequences": None,
        "completed_sales_sequences": None,
        "last_assigned_at": created,
        "custom_field": {
            "cf_language": dice.pick(("en", "de", "fr", None)),
            "cf_seats": latest.number(1, 60),
            "cf_decision-maker": dice.happens(0.3),
        },
        "tags": scene.tags(),
        "system_tags": [],
        "phone_numbers": [],
        "is_deleted": False,
        "team_user_ids": None,
        "web_form_ids": None,
        "mcr_id": ((entry.created_at - _FIRST_MCR_ID_AT) * 1000 << _MACHINE_BITS) + entry.seed % _MACHINES,
        "links": scene.paths("contacts", "notes", "tasks", "appointments"),
        "created_at": created,
        "updated_at": timestamp(entry.updated_at),
    }


def _primary(entry: Entry, email: str) -> Record:
    return {"id": entry.id + 1, "value": email, "is_primary": True, "label": None, "_destroy": False}
