"""What the marts should hold: all of their columns, counted in plain Python from the sandbox's records."""

import csv
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from statistics import mean, median
from typing import Any
from zoneinfo import ZoneInfo

from crm_assets.runner.project import DBT_DIR

Record = dict[str, Any]
Rows = Iterable[Record]

ZONE, FISCAL_YEAR_START = ZoneInfo("America/New_York"), 4
KINDS = ("SalesAccount", "Contact", "Deal")
NO_ACCOUNT = "Deals without a listed account"


def instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def day(text: str | None) -> date | None:
    found = instant(text)
    return found.astimezone(ZONE).date() if found else None


def share(part: float | Decimal, whole: float | Decimal | None, digits: int = 4) -> Decimal | None:
    return (Decimal(part) / Decimal(whole)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP) if whole else None


def total(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((amount for amount in amounts if amount is not None), Decimal(0))


def days_between(first: date | None, last: date | None) -> int | None:
    return (last - first).days if first and last else None


def month_after(month: date, months: int = 1) -> date:
    number = month.year * 12 + month.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def quarter_of(found: date) -> date:
    return date(found.year, (found.month - 1) // 3 * 3 + 1, 1)


def grouped(rows: Iterable[Record], *keys: str) -> dict[Any, list[Record]]:
    found = defaultdict(list)
    for row in rows:
        found[tuple(row[key] for key in keys) if len(keys) > 1 else row[keys[0]]].append(row)
    return found


@dataclass
class Crm:
    """The CRM's records at a time, as its API sends them."""

    now: datetime
    accounts: list[Record]
    contacts: list[Record]
    won_deals: list[Record]
    open_tasks: list[Record]
    past_appointments: list[Record]
    side_loaded: dict[str, dict[int, Record]]

    @cached_property
    def today(self) -> date:
        return self.now.astimezone(ZONE).date()

    @cached_property
    def account(self) -> dict[int, Record]:
        return {account["id"]: account for account in self.accounts}

    def name(self, array: str, id_: int | None) -> str | None:
        record = self.side_loaded.get(array, {}).get(id_ or 0, {})
        return record.get("display_name") or record.get("name")

    def user(self, id_: int | None) -> str | None:
        return self.name("users", id_)

    def past(self, *texts: str | None) -> datetime | None:
        """The latest of these instants that is not still to come."""
        return max((found for found in map(instant, texts) if found and found <= self.now), default=None)

    @cached_property
    def deals(self) -> list[Record]:
        """The won deals with what is derived from a single one."""
        made = []
        for deal in self.won_deals:
            entered, won = day(deal["created_at"]), date.fromisoformat(deal["closed_date"])
            back_dated = won < entered if entered else False
            made.append(
                {
                    **deal,
                    "account_id": deal["sales_account_id"],
                    "entered": entered,
                    "won_on": won,
                    "month": won.replace(day=1),
                    "won_amount": Decimal(deal["base_currency_amount"]),
                    "is_back_dated": back_dated,
                    "days_to_win": None if back_dated else days_between(entered, won),
                    "listed_account_id": deal["sales_account_id"] if deal["sales_account_id"] in self.account else None,
                }
            )
        return made

    @cached_property
    def accounts_of_contacts(self) -> dict[int, set[int]]:
        return {
            contact["id"]: {*(sent["id"] for sent in contact["sales_accounts"]), contact["sales_account_id"]} - {None}
            for contact in self.contacts
        }

    def targets(self, activity: Record) -> set[tuple[str, int]]:
        return {(sent["type"], sent["id"]) for sent in activity["targetables"] if sent["type"] in KINDS}

    def accounts_met(self, activity: Record) -> set[int]:
        """The accounts that a task or an appointment concerns."""
        of_deals = {deal["id"]: {deal["account_id"]} - {None} for deal in self.deals}
        found: set[int] = set()
        for kind, id_ in self.targets(activity):
            ways = {"SalesAccount": {id_: {id_}}, "Contact": self.accounts_of_contacts, "Deal": of_deals}
            found |= ways[kind].get(id_, set())
        return found

    @cached_property
    def meetings(self) -> list[Record]:
        """The appointments with what is derived from a single one. The sandbox's whole days are sent with a time."""
        made = []
        for held in self.past_appointments:
            seconds = (instant(held["end_date"]) - instant(held["from_date"])).total_seconds()  # type: ignore[operator]
            held_on = day(held["from_date"])
            assert held_on
            midnight = datetime(held_on.year, held_on.month, held_on.day, tzinfo=ZONE)
            credible = not held["is_allday"] and 1 <= seconds // 60 <= 1440
            made.append(
                {
                    **held,
                    "owner_id": held["creater_id"],
                    "held_on": held_on,
                    "held_at": midnight if held["is_allday"] else instant(held["from_date"]),
                    "minutes": int(seconds // 60) if credible else None,
                    "week": held_on - timedelta(days=held_on.weekday()),
                    "accounts": self.accounts_met(held),
                }
            )
        return made

    @cached_property
    def tasks(self) -> list[Record]:
        return [
            {**task, "due": instant(task["due_date"]), "accounts": self.accounts_met(task)}
            for task in self.open_tasks
            if task["status"] != 1
        ]

    def overdue(self, tasks: Iterable[Record]) -> int:
        return sum(bool(task["due"]) and task["due"] < self.now for task in tasks)

    def is_recent(self, found: date) -> bool:
        return self.today - timedelta(days=30) < found <= self.today


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
                "owner_id": deal["owner_id"],
                "owner_name": crm.user(deal["owner_id"]),
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
                if account_id is None or deal["is_back_dated"]
                else sum(held >= deal["entered"] for held in met),
                "days_from_last_meeting_to_win": days_between(max(met, default=None), deal["won_on"]),
                "last_activity_at": instant(deal["last_contacted_via_sales_activity"]),
            }
            earlier = deal["won_on"]


def customer_value(crm: Crm) -> Iterator[Record]:
    def months_ago(months: int) -> date:
        first = month_after(crm.today.replace(day=1), -months)
        return first.replace(day=min(crm.today.day, (month_after(first) - timedelta(days=1)).day))

    def between(deals: list[Record], first: date, last: date) -> Decimal:
        return total(deal["won_amount"] for deal in deals if first < deal["won_on"] <= last)

    by_account = grouped(crm.deals, "listed_account_id")
    recent = {id_: between(deals, months_ago(12), crm.today) for id_, deals in by_account.items()}
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
            "owner_id": account.get("owner_id"),
            "owner_name": crm.user(account.get("owner_id")),
            "first_won_on": won[0],
            "last_won_on": won[-1],
            "won_deals": len(won),
            "won_amount": total(deal["won_amount"] for deal in deals),
            "won_amount_12m": recent[id_],
            "won_amount_prior_12m": between(deals, months_ago(24), months_ago(12)),
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
            quarter = month_after(first, 3 * since)
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
                "is_complete": month_after(quarter, 3) <= crm.today,
            }


def fiscal_year_from(found: date) -> date:
    return date(found.year - (found.month < FISCAL_YEAR_START), FISCAL_YEAR_START, 1)


def owner_month(crm: Crm) -> Iterator[Record]:
    text = (DBT_DIR / "seeds" / "sandbox_targets.csv").read_text(encoding="utf-8")
    targets = {
        (int(row["owner_id"]), date.fromisoformat(row["month"])): Decimal(row["target_amount"])
        for row in csv.DictReader(text.splitlines())
    }
    won = grouped(crm.deals, "owner_id", "month")
    months = sorted(month for _, month in [*won, *targets])
    last = max(months[-1], crm.today.replace(day=1))
    for owner in {owner for owner, _ in [*won, *targets]}:
        month, running, passed = months[0], list[Record](), list[Record]()
        while month <= last:
            deals, target = won.get((owner, month), []), targets.get((owner, month))
            running += deals
            to_date = [deal for deal in deals if deal["won_on"] <= crm.today]
            days = (month_after(month) - month).days
            elapsed = min(max((crm.today - month).days + 1, 0), days)
            target_to_date = None if target is None else share(target * elapsed, days, 2)
            won_to_date = total(deal["won_amount"] for deal in to_date)
            passed.append({"month": month, "deals": to_date, "won": won_to_date, "target": target_to_date})
            year = [row for row in passed if row["month"] >= fiscal_year_from(month)]
            known = [row["target"] for row in year if row["target"] is not None]
            won_this_year = total(row["won"] for row in year)
            yield {
                "month": month,
                "owner": str(owner or "unassigned"),
                "owner_id": owner,
                "owner_name": crm.user(owner),
                "fiscal_year_from": fiscal_year_from(month),
                "won_deals": len(deals),
                "won_amount": total(deal["won_amount"] for deal in deals),
                "target_amount": target,
                "is_complete": month < crm.today.replace(day=1),
                "won_amount_to_date": won_to_date,
                "target_to_date": target_to_date,
                "attainment_to_date": share(won_to_date, target_to_date),
                "won_deals_this_year": sum(len(row["deals"]) for row in year),
                "won_amount_this_year": won_this_year,
                "target_this_year": total(known) if known else None,
                "attainment_this_year": share(won_this_year, total(known)),
                "running_won_deals": len(running),
                "running_won_amount": total(deal["won_amount"] for deal in running),
            }
            month = month_after(month)


def won_revenue_monthly(crm: Crm) -> Iterator[Record]:
    for (month, owner), deals in grouped(crm.deals, "month", "owner_id").items():
        days = [deal["days_to_win"] for deal in deals if deal["days_to_win"] is not None]
        amount = total(deal["won_amount"] for deal in deals)
        yield {
            "month": month,
            "owner": str(owner or "unassigned"),
            "owner_id": owner,
            "owner_name": crm.user(owner),
            "won_deals": len(deals),
            "won_amount": amount,
            "average_won_amount": share(amount, len(deals), 2),
            "average_days_to_win": share(sum(days), len(days), 1),
            "median_days_to_win": median(days) if days else None,
            "back_dated_deals": sum(deal["is_back_dated"] for deal in deals),
            "deals_without_closed_date": 0,
        }


def account_overview(crm: Crm) -> Iterator[Record]:
    deals = grouped(crm.deals, "listed_account_id")
    contacts = Counter(contact["sales_account_id"] for contact in crm.contacts)
    for id_ in [*crm.account, *([None] if None in deals else [])]:
        account: Record = crm.account.get(id_ or 0, {})
        won = deals.get(id_, [])
        tasks = [task for task in crm.tasks if id_ in task["accounts"]]
        met = [held["held_at"] for held in crm.meetings if id_ in held["accounts"]]
        last_met = max((held for held in met if held <= crm.now), default=None)
        last = crm.past(account.get("last_contacted"), account.get("last_contacted_via_sales_activity"))
        last = max(filter(None, (last, last_met)), default=None)
        last_on = last and last.astimezone(ZONE).date()
        quiet = days_between(last_on or day(account.get("created_at")), crm.today)
        parent = account.get("parent_sales_account_id")
        yield {
            "account_id": id_,
            "account_name": account["name"] if id_ else NO_ACCOUNT,
            "parent_account_id": parent,
            "parent_account_name": crm.account.get(parent or 0, {}).get("name"),
            "owner_id": account.get("owner_id"),
            "owner_name": crm.user(account.get("owner_id")),
            "industry_type_id": account.get("industry_type_id"),
            "industry_name": crm.name("industry_types", account.get("industry_type_id")),
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
            "last_appointment_at": last_met,
            "last_contacted_at": instant(account.get("last_contacted")),
            "last_activity_at": last,
            "last_activity_on": last_on,
            "days_since_last_activity": days_between(last_on, crm.today),
            "days_quiet": None if quiet is None else max(quiet, 0),
        }


def contact_engagement(crm: Crm) -> Iterator[Record]:
    for contact in crm.contacts:
        target = ("Contact", contact["id"])
        met = [held["held_at"] for held in crm.meetings if target in crm.targets(held)]
        last_met = max((held for held in met if held <= crm.now), default=None)
        last = crm.past(contact["last_contacted"], contact["last_contacted_via_sales_activity"])
        last = max(filter(None, (last, last_met)), default=None)
        days = days_between(last and last.astimezone(ZONE).date(), crm.today)
        warmth = "active" if (days or 0) <= 30 else "cooling" if (days or 0) <= 90 else "dormant"
        stage = contact.get("lifecycle_stage_id")
        yield {
            "contact_id": contact["id"],
            "full_name": contact["display_name"],
            **{key: contact.get(key) for key in ("job_title", "email", "owner_id", "lead_score")},
            "owner_name": crm.user(contact["owner_id"]),
            "lifecycle_stage_id": stage,
            "lifecycle_stage_name": crm.name("lifecycle_stages", stage),
            "subscription_status": contact["subscription_status"],
            "account_id": contact["sales_account_id"],
            "account_name": crm.account.get(contact["sales_account_id"], {}).get("name"),
            "created_at": instant(contact["created_at"]),
            "last_contact_at": last,
            "meetings": len(met),
            "last_meeting_at": last_met,
            "open_tasks": sum(target in crm.targets(task) for task in crm.tasks),
            "crm_open_deals": contact["open_deals_count"],
            "crm_won_deals": contact["won_deals_count"],
            "crm_won_deals_amount": Decimal(contact["won_deals_amount"]),
            "days_since_last_contact": days,
            "engagement": "never" if days is None else warmth,
        }


def task_backlog(crm: Crm) -> Iterator[Record]:
    in_a_week = (crm.now.astimezone(ZONE) + timedelta(days=7)).astimezone(crm.now.tzinfo)
    for owner, tasks in grouped(crm.tasks, "owner_id").items():
        due = sorted(task["due"] for task in tasks if task["due"])
        overdue = crm.overdue(tasks)
        oldest = days_between(due[0].astimezone(ZONE).date() if due else None, crm.today)
        yield {
            "owner": str(owner or "unassigned"),
            "owner_id": owner,
            "owner_name": crm.user(owner),
            "open_tasks": len(tasks),
            "overdue_tasks": overdue,
            "due_this_week": sum(crm.now <= found < in_a_week for found in due),
            "due_later": sum(found >= in_a_week for found in due),
            "without_due_date": len(tasks) - len(due),
            "overdue_share": share(overdue, len(tasks)),
            "oldest_due_at": due[0] if due else None,
            "next_due_at": min((found for found in due if found >= crm.now), default=None),
            "days_overdue_at_most": None if oldest is None else max(oldest, 0),
            "accounts": len(set[int]().union(*(task["accounts"] for task in tasks))),
        }


def meeting_activity_weekly(crm: Crm) -> Iterator[Record]:
    for (week, creator), meetings in grouped(crm.meetings, "week", "owner_id").items():
        minutes = [held["minutes"] for held in meetings if held["minutes"]]
        yield {
            "week": week,
            "iso_week": week.strftime("%G-W%V"),
            "creator": str(creator or "unknown"),
            "creator_id": creator,
            "creator_name": crm.user(creator),
            "meetings": len(meetings),
            "timed_meetings": len(minutes),
            "all_day_meetings": sum(held["is_allday"] for held in meetings),
            "meeting_hours": share(sum(minutes), 60, 2),
            "average_minutes": share(mean(minutes), 1, 1) if minutes else None,
            "accounts_met": len(set[int]().union(*(held["accounts"] for held in meetings))),
        }


def owner_performance(crm: Crm) -> Iterator[Record]:
    of = {
        name: grouped(rows, "owner_id")
        for name, rows in (
            ("accounts", crm.accounts),
            ("contacts", crm.contacts),
            ("deals", crm.deals),
            ("tasks", crm.tasks),
            ("meetings", [held for held in crm.meetings if held["owner_id"] and crm.is_recent(held["held_on"])]),
        )
    }
    this_month = crm.today.replace(day=1)
    last_month = month_after(this_month, -1)
    for owner in set[int | None]().union(*of.values()):
        deals = of["deals"].get(owner, [])
        past = [deal for deal in deals if deal["won_on"] <= crm.today]
        this, last = ([deal for deal in past if deal["month"] == month] for month in (this_month, last_month))
        days = [deal["days_to_win"] for deal in deals if deal["days_to_win"] is not None]
        amount = total(deal["won_amount"] for deal in deals)
        tasks = of["tasks"].get(owner, [])
        yield {
            "owner": str(owner or "unassigned"),
            "owner_id": owner,
            "owner_name": crm.user(owner),
            "owner_is_active": crm.side_loaded["users"].get(owner or 0, {}).get("is_active"),
            "accounts": len(of["accounts"].get(owner, [])),
            "contacts": len(of["contacts"].get(owner, [])),
            "won_deals": len(deals),
            "won_amount": amount,
            "average_won_amount": share(amount, len(deals), 2),
            "median_days_to_win": median(days) if days else None,
            "last_won_on": max((deal["won_on"] for deal in deals), default=None),
            "won_deals_this_month": len(this),
            "won_amount_this_month": total(deal["won_amount"] for deal in this),
            "won_deals_last_month": len(last),
            "won_amount_last_month": total(deal["won_amount"] for deal in last),
            "won_amount_this_year": total(
                deal["won_amount"] for deal in past if deal["won_on"] >= fiscal_year_from(crm.today)
            ),
            "open_tasks": len(tasks),
            "overdue_tasks": crm.overdue(tasks),
            "meetings_30_days": len(of["meetings"].get(owner, [])),
        }


def health(crm: Crm) -> Record:
    recent = [deal for deal in crm.deals if crm.is_recent(deal["won_on"])]
    return {
        "snapshot_date": crm.today,
        "taken_at": crm.now,
        "accounts": len(crm.accounts),
        "accounts_without_owner": sum(not account["owner_id"] for account in crm.accounts),
        "contacts": len(crm.contacts),
        "contacts_without_account": sum(not accounts for accounts in crm.accounts_of_contacts.values()),
        "crm_open_deals": sum(account["open_deals_count"] for account in crm.accounts),
        "crm_open_deals_amount": total(Decimal(account["open_deals_amount"]) for account in crm.accounts),
        "won_deals": len(crm.deals),
        "won_amount": total(deal["won_amount"] for deal in crm.deals),
        "won_deals_30_days": len(recent),
        "won_amount_30_days": total(deal["won_amount"] for deal in recent),
        "open_tasks": len(crm.tasks),
        "overdue_tasks": crm.overdue(crm.tasks),
        "unassigned_tasks": sum(not task["owner_id"] for task in crm.tasks),
        "past_appointments": len(crm.meetings),
        "appointments_30_days": sum(crm.is_recent(held["held_on"]) for held in crm.meetings),
    }


def data_quality(crm: Crm) -> Iterator[Record]:
    won = defaultdict[int | None, Decimal](Decimal)
    for deal in crm.deals:
        won[deal["listed_account_id"]] += deal["won_amount"]
    names = Counter(account["name"].lower() for account in crm.accounts)
    contacts = Counter(contact["sales_account_id"] for contact in crm.contacts)
    future = [deal for deal in crm.deals if deal["won_on"] > crm.today]
    lists = (crm.accounts, crm.contacts, crm.won_deals, crm.open_tasks, crm.past_appointments)

    def of_accounts(name: str, fails: Callable[[Record], bool]) -> Record:
        failing = [account["id"] for account in crm.accounts if fails(account)]
        return row(name, len(crm.accounts), len(failing), total(won[id_] for id_ in failing))

    def row(name: str, checked: int, failing: int, amount: Decimal | None) -> Record:
        affected = {"share": share(failing, checked), "amount_affected": amount}
        return {"check_name": name, "checked": checked, "failing": failing, **affected}

    deals, tasks = len(crm.deals), len(crm.tasks)
    without = sum(deal["listed_account_id"] is None for deal in crm.deals)
    yield row("deals without a listed account", deals, without, won[None])
    yield row("deals without an amount in the company's currency", deals, 0, Decimal(0))
    yield row("deals without a closing date", deals, 0, Decimal(0))
    yield row("deals dated in the future", deals, len(future), total(deal["won_amount"] for deal in future))
    yield of_accounts("accounts without an owner", lambda account: not account["owner_id"])
    yield of_accounts("accounts without a contact", lambda account: not contacts[account["id"]])
    yield of_accounts("accounts with the name of another", lambda account: names[account["name"].lower()] > 1)
    nameless = sum(not (contact["email"] or contact.get("work_email")) for contact in crm.contacts)
    yield row("contacts without an e-mail address", len(crm.contacts), nameless, None)
    yield row("open tasks without a due date", tasks, sum(not task["due"] for task in crm.tasks), None)
    yield row("open tasks without an owner", tasks, sum(not task["owner_id"] for task in crm.tasks), None)
    yield row("records with a value of another type", sum(map(len, lists)), 0, None)


def account_ownership(before: Crm, after: Crm) -> Iterator[Record]:
    for id_ in {**before.account, **after.account}:
        spells: list[tuple[int | None, datetime, datetime | None]] = []
        for crm in (before, after):
            if id_ not in crm.account:
                spells = [(owner, begun, crm.now) for owner, begun, _ in spells]
            elif not spells or spells[-1][0] != crm.account[id_]["owner_id"]:
                spells = [(owner, begun, crm.now) for owner, begun, _ in spells]
                spells.append((crm.account[id_]["owner_id"], crm.now, None))
        for owner, begun, ended in spells:
            last = (ended or after.now).astimezone(ZONE).date()
            yield {
                "account_id": id_,
                "account_name": after.account.get(id_, {}).get("name"),
                "owner_id": owner,
                "owner_name": after.user(owner),
                "owned_from": begun,
                "owned_until": ended,
                "is_current": ended is None,
                "days_owned": (last - begun.astimezone(ZONE).date()).days,
            }


def won_deal_changes(before: Crm, after: Crm) -> Iterator[Record]:
    states = [{deal["id"]: deal for deal in crm.deals} for crm in (before, after)]
    kinds = {"won_amount": "amount", "owner_id": "owner", "won_on": "date", "account_id": "other"}
    for id_ in {**states[0], **states[1]}:
        first, second = (state.get(id_) for state in states)
        versions: list[tuple[str, datetime, Record | None, Record | None]]
        versions = [("first seen", before.now if first else after.now, None, first or second)]
        if first and not second:
            versions.append(("reopened", after.now, first, first))
        elif first and second and (changed := [kind for key, kind in kinds.items() if first[key] != second[key]]):
            versions.append((changed[0], after.now, first, second))
        for number, (change, seen_at, earlier, deal) in enumerate(versions, 1):
            assert deal
            counted = Decimal(0) if change == "reopened" else deal["won_amount"]
            yield {
                "deal_id": id_,
                "version": number,
                "seen_at": seen_at,
                "change": change,
                "account_id": deal["account_id"],
                "account_name": after.account.get(deal["account_id"], {}).get("name"),
                "owner_id_before": earlier and earlier["owner_id"],
                "owner_name_before": after.user(earlier["owner_id"] if earlier else None),
                "owner_id": deal["owner_id"],
                "owner_name": after.user(deal["owner_id"]),
                "amount_before": earlier and earlier["won_amount"],
                "won_amount": deal["won_amount"],
                "amount_change": earlier and counted - earlier["won_amount"],
                "won_on": deal["won_on"],
            }


def task_durations(before: Crm, after: Crm) -> Iterator[Record]:
    states = [{task["id"]: task for task in crm.tasks} for crm in (before, after)]
    for id_ in {**states[0], **states[1]}:
        seen = [state[id_] for state in states if id_ in state]
        closed_at = None if id_ in states[1] else after.now
        opened, due = instant(seen[0]["created_at"]), seen[-1]["due"]
        dates = [task["due"] for task in seen if task["due"]]
        owner = seen[-1]["owner_id"]
        yield {
            "task_id": id_,
            "owner_id": owner,
            "owner_name": after.user(owner),
            "owners": len({task["owner_id"] for task in seen} - {None}),
            "opened_at": opened,
            "due_at": due,
            "times_postponed": sum(later > earlier for earlier, later in itertools.pairwise(dates)),
            "closed_at": closed_at,
            "is_open": closed_at is None,
            "was_closed_late": closed_at > due if closed_at and due else None,
            "days_open": days_between(day(seen[0]["created_at"]), day((closed_at or after.now).isoformat())),
        }


OF_NOW: tuple[Callable[[Crm], Rows], ...] = (
    account_overview,
    contact_engagement,
    customer_retention_quarterly,
    customer_value,
    data_quality,
    meeting_activity_weekly,
    owner_month,
    owner_performance,
    task_backlog,
    won_deal_overview,
    won_revenue_monthly,
)

OF_HISTORY: tuple[Callable[[Crm, Crm], Rows], ...] = (account_ownership, task_durations, won_deal_changes)


def recomputed(before: Crm, after: Crm) -> dict[str, list[Record]]:
    """Name of a mart -> its rows, after builds of these two states."""
    return {
        "pipeline_health_daily": [health(before), health(after)],
        **{of_now.__name__: list(of_now(after)) for of_now in OF_NOW},
        **{of_history.__name__: list(of_history(before, after)) for of_history in OF_HISTORY},
    }


def parsed(body: bytes) -> Any:
    """An answer of the sandbox, with exact numbers."""
    return json.loads(body, parse_float=Decimal)
