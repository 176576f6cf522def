"""Marts of owners: their months and targets, and all that they have done."""

import csv
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from statistics import median

from crm_assets.runner.project import DBT_DIR
from crm_assets_tests.models.reckoning import Record, fiscal_year_from, grouped, months_later, share, total
from crm_assets_tests.models.recomputed.crm import FISCAL_YEAR_START, Crm


def targets() -> dict[tuple[int, date], Decimal]:
    """Owner and month -> target."""
    text = (DBT_DIR / "seeds" / "sandbox_targets.csv").read_text(encoding="utf-8")
    return {
        (int(row["owner_id"]), date.fromisoformat(row["month"])): Decimal(row["target_amount"])
        for row in csv.DictReader(text.splitlines())
    }


def owner_month(crm: Crm) -> Iterator[Record]:
    of_owners, won = targets(), grouped(crm.deals, "owner_id", "month")
    months = sorted(month for _, month in [*won, *of_owners])
    last = max(months[-1], crm.today.replace(day=1))
    for owner in {owner for owner, _ in [*won, *of_owners]}:
        month, running, passed = months[0], list[Record](), list[Record]()
        while month <= last:
            deals, target = won.get((owner, month), []), of_owners.get((owner, month))
            running += deals
            to_date = [deal for deal in deals if deal["won_on"] <= crm.today]
            days = (months_later(month) - month).days
            elapsed = min(max((crm.today - month).days + 1, 0), days)
            target_to_date = None if target is None else share(target * elapsed, days, 2)
            won_to_date = total(deal["won_amount"] for deal in to_date)
            passed.append({"month": month, "deals": to_date, "won": won_to_date, "target": target_to_date})
            year_from = fiscal_year_from(month, FISCAL_YEAR_START)
            year = [row for row in passed if row["month"] >= year_from]
            known = [row["target"] for row in year if row["target"] is not None]
            won_this_year = total(row["won"] for row in year)
            yield {
                "month": month,
                **crm.row_of_owner(owner),
                "fiscal_year_from": year_from,
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
            month = months_later(month)


def owner_performance(crm: Crm) -> Iterator[Record]:
    recent = [held for held in crm.meetings if crm.is_recent(held["held_on"])]
    lists = {"accounts": crm.accounts, "contacts": crm.contacts, "deals": crm.deals, "tasks": crm.tasks}
    of = {name: grouped(rows, "owner_id") for name, rows in {**lists, "meetings": recent}.items()}
    this_month, year_from = crm.today.replace(day=1), fiscal_year_from(crm.today, FISCAL_YEAR_START)
    for owner in set[int | None]().union(*of.values()):
        accounts, contacts, deals, tasks, meetings = (rows.get(owner, []) for rows in of.values())
        past = [deal for deal in deals if deal["won_on"] <= crm.today]
        months = this_month, months_later(this_month, -1)
        this, last = ([deal for deal in past if deal["month"] == month] for month in months)
        days = [deal["days_to_win"] for deal in deals if deal["days_to_win"] is not None]
        amount = total(deal["won_amount"] for deal in deals)
        yield {
            **crm.row_of_owner(owner),
            "owner_is_active": crm.side_loaded["users"].get(owner or 0, {}).get("is_active"),
            "accounts": len(accounts),
            "contacts": len(contacts),
            "won_deals": len(deals),
            "won_amount": amount,
            "average_won_amount": share(amount, len(deals), 2),
            "median_days_to_win": median(days) if days else None,
            "last_won_on": max((deal["won_on"] for deal in deals), default=None),
            "won_deals_this_month": len(this),
            "won_amount_this_month": total(deal["won_amount"] for deal in this),
            "won_deals_last_month": len(last),
            "won_amount_last_month": total(deal["won_amount"] for deal in last),
            "won_amount_this_year": total(deal["won_amount"] for deal in past if deal["won_on"] >= year_from),
            "open_tasks": len(tasks),
            "overdue_tasks": crm.overdue(tasks),
            "meetings_30_days": len(meetings),
        }
