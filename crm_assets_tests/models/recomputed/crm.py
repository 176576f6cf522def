"""The CRM's records at a time, and what is derived from single ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo

from crm_assets_tests.models.reckoning import Record, days_between

ZONE, FISCAL_YEAR_START = ZoneInfo("America/New_York"), 4
KINDS = ("SalesAccount", "Contact", "Deal")


def instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def day(found: datetime | str | None) -> date | None:
    """The day of an instant in the reporting time zone."""
    found = instant(found) if isinstance(found, str) else found
    return found.astimezone(ZONE).date() if found else None


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

    def account_name(self, id_: int | None) -> str | None:
        return self.account.get(id_ or 0, {}).get("name")

    def name(self, array: str, id_: int | None) -> str | None:
        record = self.side_loaded.get(array, {}).get(id_ or 0, {})
        return record.get("display_name") or record.get("name")

    def user(self, id_: int | None) -> str | None:
        return self.name("users", id_)

    def owner(self, id_: int | None) -> Record:
        return {"owner_id": id_, "owner_name": self.user(id_)}

    def row_of_owner(self, id_: int | None) -> Record:
        """The key of a mart with one row an owner, and the owner."""
        return {"owner": str(id_ or "unassigned"), **self.owner(id_)}

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

    def latest(self, *found: datetime | str | None) -> datetime | None:
        """The latest of these instants that is not still to come."""
        instants = (instant(each) if isinstance(each, str) else each for each in found)
        return max((each for each in instants if each and each <= self.now), default=None)
