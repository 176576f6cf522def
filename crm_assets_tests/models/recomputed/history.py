"""Marts of what has changed from one state of the CRM to the next."""

import itertools
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from crm_assets_tests.models.reckoning import Record, days_between
from crm_assets_tests.models.recomputed.crm import Crm, day, instant


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
            yield {
                "account_id": id_,
                "account_name": after.account_name(id_),
                **after.owner(owner),
                "owned_from": begun,
                "owned_until": ended,
                "is_current": ended is None,
                "days_owned": days_between(day(begun), day(ended or after.now)),
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
                "account_name": after.account_name(deal["account_id"]),
                "owner_id_before": earlier and earlier["owner_id"],
                "owner_name_before": after.user(earlier["owner_id"] if earlier else None),
                **after.owner(deal["owner_id"]),
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
        yield {
            "task_id": id_,
            **after.owner(seen[-1]["owner_id"]),
            "owners": len({task["owner_id"] for task in seen} - {None}),
            "opened_at": opened,
            "due_at": due,
            "times_postponed": sum(later > earlier for earlier, later in itertools.pairwise(dates)),
            "closed_at": closed_at,
            "is_open": closed_at is None,
            "was_closed_late": closed_at > due if closed_at and due else None,
            "days_open": days_between(day(seen[0]["created_at"]), day(closed_at or after.now)),
        }
