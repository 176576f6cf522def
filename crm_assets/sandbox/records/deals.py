"""A sale that was won."""

from math import exp
from typing import Final

from crm_assets.sandbox.chance import Dice
from crm_assets.sandbox.scene import Record, Scene
from crm_assets.sandbox.slots import Entry
from crm_assets.sandbox.times import DAY, date, office_time, timestamp
from crm_assets.sandbox.words import PRODUCTS

_WON_STAGE_ID: Final = 402_000_150_567
_PIPELINE_IDS: Final = (402_000_023_450, 402_000_023_451)
_TO_BASE_CURRENCY: Final = (1.0, 1.0, 1.0, 1.08, 1.27)
_MEDIAN_LOG, _SPREAD_LOG = 8.7, 0.9  # half of the deals are above 6,000, one in seven above 15,000
_PREDICTION = 1
_PREDICTIONS: Final = (0, 6)
_STEP: Final = 50
_LATE_ENTRIES: Final = (0, 0, 0, 0, 0, 1, 2, 5)  # days by which the close of a deal is back-dated
_OUTLOOK: Final = 20 * DAY


def deal(scene: Scene) -> Record:
    """Make the record of a won deal."""
    entry, dice, links = scene.entry, scene.lasting, scene.links
    buyer = links.account(entry)
    name = dice.pick(PRODUCTS)
    amount = float(round(exp(dice.gauss(_MEDIAN_LOG, _SPREAD_LOG)) / _STEP) * _STEP + _STEP)
    closed = office_time(entry.entered - dice.pick(_LATE_ENTRIES) * DAY, 0)
    expected = closed + dice.number(-_OUTLOOK, _OUTLOOK)
    activity, mode = scene.last_activity()
    return {
        "id": entry.id,
        "name": f"{scene.names.company(buyer.seed)} - {name}" if buyer else name,
        "amount": str(amount),
        "base_currency_amount": str(round(amount * dice.pick(_TO_BASE_CURRENCY), 2)),
        "expected_close": dice.maybe(0.9, date(expected)),
        "closed_date": date(closed),
        "stage_updated_time": timestamp(entry.entered),
        "custom_field": {
            "cf_contract-months": dice.pick((12, 24, 36)),
            "cf_competitor": dice.pick(("incumbent", "none", None)),
            "cf_signed": scene.latest.happens(0.9),
        },
        "probability": 100,
        "deal_stage_id": _WON_STAGE_ID,
        "deal_pipeline_id": dice.pick(_PIPELINE_IDS),
        "age": (entry.computed_at - entry.created_at) // DAY,
        "recent_note": scene.note(),
        "completed_sales_sequences": None,
        "active_sales_sequences": None,
        "web_form_id": None,
        "upcoming_activities_time": None,
        "last_assigned_at": timestamp(entry.created_at),
        "last_contacted_sales_activity_mode": mode,
        "last_contacted_via_sales_activity": activity,
        "expected_deal_value": str(amount),
        "is_deleted": False,
        "team_user_ids": None,
        "avatar": None,
        "forecast_category": dice.pick((1, 1, 2, None)),
        "deal_prediction": _PREDICTIONS[scene.computed(_PREDICTION, len(_PREDICTIONS))],
        "deal_prediction_last_updated_at": timestamp(entry.computed_at),
        "last_deal_prediction": None,
        "freddy_forecast_metrics": None,
        "rotten_days": None,
        "has_products": dice.happens(0.4),
        "tags": scene.tags(),
        # Whoever loads these two loads keys to other people's conversations. They are here to be left out.
        "fc_widget_collaboration": {
            "convo_token": _token(dice),
            "auth_token": _token(dice),
            "encoded_jwt_token": _token(dice),
        },
        "collaboration": _conversation(entry, dice),
        "links": scene.paths("deals", "notes", "tasks", "products"),
        "created_at": timestamp(entry.created_at),
        "updated_at": timestamp(entry.updated_at),
    }


def _conversation(entry: Entry, dice: Dice) -> Record:
    """Half of the deals are from the time when each had a conversation of its own."""
    if dice.happens(0.5):
        return {}
    return {"id": str(entry.id), "title": "Deal room", "convo_token": _token(dice)}


def _token(dice: Dice) -> str:
    """Look like a signed web token; it opens nothing."""
    return f"eyJhbGciOiJIUzI1NiJ9.{dice.digits(40)}.{dice.digits(30)}"
