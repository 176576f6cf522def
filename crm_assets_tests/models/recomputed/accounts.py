"""Marts of accounts: customers, and all that is known of each account."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from statistics import median

from crm_assets_tests.models.reckoning import Record, days_between, grouped, months_later, quarter_of, share, total
from crm_assets_tests.models.recomputed.crm import Crm, day, instant

NO_ACCOUNT = "Deals without a listed account"


def account_overview(crm: Crm) -> Iterator[Record]:
    deals = grouped(crm.deals, "listed_account_id")
    contacts = Counter(contact["sales_account_id"] for contact in crm.contacts)
    for id_ in [*crm.account, *([None] if None in deals else [])]:
        account: Record = crm.account.get(id_ or 0, {})
        won = deals.get(id_, [])
        tasks = [task for task in crm.tasks if id_ in task["accounts"]]
        met = [held["held_at"] for held in crm.meetings if id_ in held["accounts"]]
        last = crm.latest(account.get("last_contacted"), account.get("last_contacted_via_sales_activity"), *met)
        quiet = days_between(day(last or account.get("created_at")), crm.today)
        parent = account.get("parent_sales_account_id")
        industry = account.get("industry_type_id")
        yield {
            "account_id": id_,
            "account_name": account["name"] if id_ else NO_ACCOUNT,
            "parent_account_id": parent,
            "parent_account_name": crm.account_name(parent),
            **crm.owner(account.get("owner_id")),
            "industry_type_id": industry,
            "industry_name": crm.name("industry_types", industry),
            "territory_id": None,
            "territory_name": None,
            **{key: account.get(key) for key in ("city", "country", "website", "annual_revenue")},
            "number_of_employees": account.get("number_of_employees"),
            "created_at": instant(account.get("created_at")),
            "contacts": contacts[id_] if id_ else None,
            "won_deals": len(won),
            "won_amount": total(deal["won_amount"] for deal in won),
            "first_won_on": min((deal["won_on"] for deal in won), default=None),
            "last_won_on": max((deal["won_on"] for deal in won), default=None),
            "crm_won_deals": account.get("won_deals_count"),
            "crm_won_deals_amount": Decimal(account["won_deals_amount"]) if id_ else None,
            "crm_open_deals": account.get("open_deals_count"),
            "crm_open_deals_amount": Decimal(account["open_deals_amount"]) if id_ else None,
            "open_tasks": len(tasks) if id_ else None,
            "overdue_tasks": crm.overdue(tasks) if id_ else None,
            "next_task_due_at": min(
                (task["due"] for task in tasks if task["due"] and task["due"] >= crm.now), default=None
            ),
            "past_appointments": len(met) if id_ else None,
            "last_appointment_at": crm.latest(*met),
            "last_contacted_at": instant(account.get("last_contacted")),
            "last_activity_at": last,
            "last_activity_on": day(last),
            "days_since_last_activity": days_between(day(last), crm.today),
            "days_quiet": None if quiet is None else max(quiet, 0),
        }


def customer_value(crm: Crm) -> Iterator[Record]:
    def won_between(deals: list[Record], first: date, last: date) -> Decimal:
        return total(deal["won_amount"] for deal in deals if first < deal["won_on"] <= last)

    a_year_ago, two_years_ago = (months_later(crm.today, -months) for months in (12, 24))
    by_account = grouped(crm.deals, "listed_account_id")
    recent = {id_: won_between(deals, a_year_ago, crm.today) for id_, deals in by_account.items()}
    ranked = sorted((id_ for id_ in recent if id_ and recent[id_]), key=lambda id_: (-recent[id_], id_))
    for id_, deals in by_account.items():
        won = sorted(deal["won_on"] for deal in deals)
        account = crm.account.get(id_, {})
        gaps = [(later - earlier).days for earlier, later in itertools.pairwise(won)] if id_ else []
        rank = ranked.index(id_) + 1 if id_ in ranked else None
        is_new, is_active = crm.today <= won[0] + timedelta(90), crm.today <= won[-1] + timedelta(365)
        yield {
            "account_id": id_,
            "account_name": account["name"] if id_ else NO_ACCOUNT,
            **crm.owner(account.get("owner_id")),
            "first_won_on": won[0],
            "last_won_on": won[-1],
            "won_deals": len(won),
            "won_amount": total(deal["won_amount"] for deal in deals),
            "won_amount_12m": recent[id_],
            "won_amount_prior_12m": won_between(deals, two_years_ago, a_year_ago),
            "median_days_between_deals": median(gaps) if gaps else None,
            "days_since_win": max((crm.today - won[-1]).days, 0),
            "status": None if id_ is None else "new" if is_new else "active" if is_active else "lapsed",
            "revenue_rank_12m": rank,
            "cumulative_share_12m": rank and share(total(recent[one] for one in ranked[:rank]), total(recent.values())),
        }


def customer_retention_quarterly(crm: Crm) -> Iterator[Record]:
    by_account = grouped((deal for deal in crm.deals if deal["listed_account_id"]), "listed_account_id")
    cohorts = defaultdict(list)
    for deals in by_account.values():
        cohorts[quarter_of(min(deal["won_on"] for deal in deals))].append(deals)
    for first, customers in cohorts.items():
        last = max(quarter_of(crm.today), *(quarter_of(deal["won_on"]) for deals in customers for deal in deals))
        quarters = (last.year - first.year) * 4 + (last.month - first.month) // 3
        for since in range(quarters + 1):
            quarter = months_later(first, 3 * since)
            bought = [[deal for deal in deals if quarter_of(deal["won_on"]) == quarter] for deals in customers]
            buying = sum(map(bool, bought))
            yield {
                "first_quarter": first,
                "quarters_since": since,
                "quarter": quarter,
                "customers": len(customers),
                "customers_buying": buying,
                "won_deals": sum(map(len, bought)),
                "won_amount": total(deal["won_amount"] for deals in bought for deal in deals),
                "share_buying": share(buying, len(customers)),
                "is_complete": months_later(quarter, 3) <= crm.today,
            }
