"""Invented records of all lists, and the review of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from crm_assets.reports.figures import SalesReview
from crm_assets.reports.tables import Table
from crm_assets.sandbox.chance import Dice
from crm_assets_tests.reports.drawn import Figure

Records = list[dict[str, Any]]

LISTS = ("accounts", "contacts", "won_deals", "open_tasks", "past_appointments")

HOSTILE = [
    "<script>alert(1)</script>",
    "x" * 400,
    "\u202e\u05e2\u05d1\u05e8\u05d9\u05ea",
    "=1+1",
    "@SUM(A1)",
    "-2",
    '"&',
    "",
]
"""Names that would be markup, are too wide, run from right to left, or are formulas."""


OWNERS = [*range(1, 16), None]


DUE = [None, timedelta(days=-20), timedelta(days=-3), timedelta(days=3), timedelta(days=40)]
"""How long before now a task was due."""


@dataclass
class Reported:
    """Records, and the review of them."""

    zone: ZoneInfo
    accounts: Records = field(default_factory=list)
    contacts: Records = field(default_factory=list)
    won_deals: Records = field(default_factory=list)
    open_tasks: Records = field(default_factory=list)
    past_appointments: Records = field(default_factory=list)
    targets: list[tuple[date, int, int]] = field(default_factory=list)
    marts: Mapping[str, Records] = field(init=False)
    review: SalesReview = field(init=False)
    read_at: datetime = field(init=False)
    page: str = field(init=False)
    tables: Mapping[str, Table] = field(init=False)
    figures: dict[str, Figure] = field(init=False)

    @property
    def today(self) -> date:
        """The day on which the marts were built, in the reporting time zone."""
        built_at: datetime = self.review["headline"][0]["taken_at"]
        return built_at.astimezone(self.zone).date()

    @property
    def this_month(self) -> date:
        """The month of that."""
        return self.today.replace(day=1)


def invented(zone: ZoneInfo) -> Reported:
    """Two users of one name, targets without deals, and records on both sides of each midnight and month."""
    dice, now = Dice(5), datetime.now(timezone.utc)
    made = Reported(zone)

    def ago(days: int) -> datetime:
        return now - timedelta(days=dice.number(0, days), minutes=dice.number(7, 1433))

    for _ in range(40):
        made.accounts.append(
            {
                "name": dice.pick(["Acme", "Acme", "Umbrella & <Sons>", None]),
                "owner_id": dice.pick(OWNERS),
                "is_deleted": dice.happens(0.1),
                "created_at": dice.pick([ago(900), ago(900), None]),
                "last_contacted": dice.pick([ago(600), ago(3), None]),
                "open_deals_amount": Decimal(dice.number(0, 10**9)) / 1000,
            }
        )
    made.contacts = [{"owner_id": dice.pick(OWNERS), "is_deleted": dice.happens(0.1)} for _ in range(30)]
    today = now.astimezone(zone).date()
    for _ in range(400):
        made.won_deals.append(
            {
                "sales_account_id": dice.pick([*range(45), None]),
                "owner_id": dice.pick([1, 2, None]),
                "base_currency_amount": Decimal(dice.number(0, 10**8)) / 1000,
                "closed_date": today - timedelta(days=dice.number(-10, 800)),
                "is_deleted": dice.happens(0.1),
            }
        )
    for task in range(300):
        due = dice.pick(DUE)
        made.open_tasks.append(
            {
                "owner_id": OWNERS[min(task * task // 5600, 15)],
                "due_date": None if due is None else now - due,
                "status": 1 if dice.happens(0.1) else 0,
            }
        )
    for _ in range(300):
        start, is_allday = ago(200), dice.happens(0.3)
        if is_allday:
            start = datetime.combine(start.date(), time(), timezone.utc)
        made.past_appointments.append(
            {"from_date": start, "end_date": start + timedelta(days=1), "is_allday": is_allday, "creater_id": 3}
        )
    months = {today.replace(day=1), (today - timedelta(days=40)).replace(day=1)}
    made.targets = [(month, owner, 1000 * owner + month.month) for month in sorted(months) for owner in (1, 2, 3, 6)]
    return made
