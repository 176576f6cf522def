"""Marts of won deals."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from statistics import median

from crm_assets_tests.models.reckoning import Record, days_between, grouped, share, total
from crm_assets_tests.models.recomputed.crm import Crm, instant


def won_deal_overview(crm: Crm) -> Iterator[Record]:
    for account_id, deals in grouped(crm.deals, "account_id").items():
        account = crm.account.get(account_id, {})
        earlier = None
        for number, deal in enumerate(sorted(deals, key=lambda deal: (deal["won_on"], deal["id"])), 1):
            met = [held["held_on"] for held in crm.meetings if account_id in held["accounts"]]
            met = [held for held in met if held <= deal["won_on"]]
            expected = deal["expected_close"] and date.fromisoformat(deal["expected_close"])
            repeated = "won back" if earlier and (deal["won_on"] - earlier).days > 365 else "repeat"
            yield {
                "deal_id": deal["id"],
                "deal_name": deal["name"],
                "account_id": account_id,
                "account_name": account.get("name"),
                "has_listed_account": bool(account),
                "account_country": account.get("country"),
                "industry_type_id": account.get("industry_type_id"),
                "industry_name": crm.name("industry_types", account.get("industry_type_id")),
                "territory_id": deal.get("territory_id") or account.get("territory_id"),
                "territory_name": None,
                **crm.owner(deal["owner_id"]),
                "pipeline_id": deal["deal_pipeline_id"],
                "pipeline_name": None,
                "stage_id": deal["deal_stage_id"],
                "stage_name": crm.name("deal_stages", deal["deal_stage_id"]),
                "deal_type_id": deal.get("deal_type_id"),
                "deal_type_name": None,
                "lead_source_id": deal.get("lead_source_id"),
                "lead_source_name": None,
                "product_id": deal.get("deal_product_id"),
                "product": None,
                "won_on": deal["won_on"],
                "won_on_source": "closed_on",
                "won_amount": deal["won_amount"],
                "amount_source": "base",
                "amount": Decimal(deal["amount"]),
                "currency_id": deal.get("currency_id"),
                "customer_deal_number": number if account_id else None,
                "revenue_type": None if account_id is None else "first" if number == 1 else repeated,
                "expected_close_on": expected,
                "days_after_expected_close": days_between(expected, deal["won_on"]),
                "days_to_win": deal["days_to_win"],
                "is_back_dated": deal["is_back_dated"],
                "meetings_before_win": None
                if None in (account_id, deal["entered"]) or deal["is_back_dated"]
                else sum(held >= deal["entered"] for held in met),
                "days_from_last_meeting_to_win": days_between(max(met, default=None), deal["won_on"]),
                "last_activity_at": instant(deal["last_contacted_via_sales_activity"]),
            }
            earlier = deal["won_on"]


def won_revenue_monthly(crm: Crm) -> Iterator[Record]:
    for (month, owner), deals in grouped(crm.deals, "month", "owner_id").items():
        days = [deal["days_to_win"] for deal in deals if deal["days_to_win"] is not None]
        amount = total(deal["won_amount"] for deal in deals)
        yield {
            "month": month,
            **crm.row_of_owner(owner),
            "won_deals": len(deals),
            "won_amount": amount,
            "average_won_amount": share(amount, len(deals), 2),
            "average_days_to_win": share(sum(days), len(days), 1),
            "median_days_to_win": median(days) if days else None,
            "back_dated_deals": sum(deal["is_back_dated"] for deal in deals),
            "deals_without_closed_date": 0,
        }
