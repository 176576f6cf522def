"""Marts of the whole CRM: its figures of a day, and what is wrong with its data."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal

from crm_assets_tests.models.reckoning import Record, share, total
from crm_assets_tests.models.recomputed.crm import Crm


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
