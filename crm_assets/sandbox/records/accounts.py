"""A company that is, was or may become a customer."""

from typing import Final

from crm_assets.sandbox.scene import Record, Scene
from crm_assets.sandbox.times import timestamp
from crm_assets.sandbox.words import domain, pick_phone, pick_place

_OPEN_DEALS, _OPEN_AMOUNT = 1, 2
_EMPLOYEES: Final = (1, 11, 51, 201, 501, 1001, None)
_REVENUE_PER_EMPLOYEE: Final = 85_000
_ACCOUNTS_PER_FAMILY: Final = 12


def account(scene: Scene) -> Record:
    """Make the record of an account."""
    entry, dice, links = scene.entry, scene.lasting, scene.links
    name = scene.names.company(entry.seed)
    site = domain(name)
    place = pick_place(dice)
    employees = dice.pick(_EMPLOYEES)
    parent = links.account(entry) if dice.happens(1 / _ACCOUNTS_PER_FAMILY) else None
    activity, mode = scene.last_activity()
    won, opened = scene.latest.number(0, 6), scene.computed(_OPEN_DEALS, 4)
    return {
        "id": entry.id,
        "name": name,
        "address": scene.names.street(dice),
        "city": place.city,
        "state": place.state,
        "zipcode": place.zipcode,
        "country": place.country,
        "number_of_employees": employees,
        "annual_revenue": employees and employees * _REVENUE_PER_EMPLOYEE + dice.number(0, 50_000),
        "website": dice.maybe(0.8, f"https://{site}"),
        "phone": dice.maybe(0.8, pick_phone(dice)),
        "owner_id": links.owner_id(entry),
        "facebook": dice.maybe(0.3, dice.digits(15)),
        "twitter": dice.maybe(0.2, site.split(".")[0]),
        "linkedin": dice.maybe(0.3, f"https://social.example/company/{site.split('.')[0]}"),
        "custom_field": {
            "cf_segment": dice.pick(("A", "B", "C", None)),
            "cf_net-terms": dice.pick((14, 30, 60)),
            "cf_discount": dice.pick((0, 0.05, 0.125)),
            "cf_reference": scene.latest.happens(0.2),
        },
        "avatar": None,
        "parent_sales_account_id": parent.id if parent and parent.id != entry.id else None,
        "recent_note": scene.note(),
        "last_contacted": activity,
        "last_contacted_mode": mode,
        "last_contacted_sales_activity_mode": mode,
        "last_contacted_via_sales_activity": activity,
        "active_sales_sequences": None,
        "completed_sales_sequences": None,
        "last_assigned_at": timestamp(entry.created_at),
        "tags": scene.tags(),
        "is_deleted": False,
        "team_user_ids": None,
        "web_form_ids": None,
        "won_deals_count": won,
        "won_deals_amount": str(float(won * scene.latest.number(500, 20_000, 50))),
        "open_deals_count": opened,
        "open_deals_amount": str(float(opened * (500 + 50 * scene.computed(_OPEN_AMOUNT, 400)))),
        "links": scene.paths("accounts", "notes", "tasks", "appointments"),
        "created_at": timestamp(entry.created_at),
        "updated_at": timestamp(entry.updated_at),
    }
