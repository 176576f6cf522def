"""Marts of contacts, tasks and meetings."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from statistics import mean

from crm_assets_tests.models.reckoning import Record, days_between, grouped, share
from crm_assets_tests.models.recomputed.crm import ZONE, Crm, day, instant


def contact_engagement(crm: Crm) -> Iterator[Record]:
    for contact in crm.contacts:
        target = ("Contact", contact["id"])
        met = [held["held_at"] for held in crm.meetings if target in crm.targets(held)]
        last = crm.latest(contact["last_contacted"], contact["last_contacted_via_sales_activity"], *met)
        days = days_between(day(last), crm.today)
        warmth = "active" if (days or 0) <= 30 else "cooling" if (days or 0) <= 90 else "dormant"
        stage = contact.get("lifecycle_stage_id")
        yield {
            "contact_id": contact["id"],
            "full_name": contact["display_name"],
            **{key: contact.get(key) for key in ("job_title", "email", "lead_score")},
            **crm.owner(contact["owner_id"]),
            "lifecycle_stage_id": stage,
            "lifecycle_stage_name": crm.name("lifecycle_stages", stage),
            "subscription_status": contact["subscription_status"],
            "account_id": contact["sales_account_id"],
            "account_name": crm.account_name(contact["sales_account_id"]),
            "created_at": instant(contact["created_at"]),
            "last_contact_at": last,
            "meetings": len(met),
            "last_meeting_at": crm.latest(*met),
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
        oldest = days_between(day(due[0]) if due else None, crm.today)
        yield {
            **crm.row_of_owner(owner),
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
