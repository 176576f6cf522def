"""The people and companies of the CRM, and how records are linked to them."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from mimesis import Address, Locale, Person

from crm_assets.sandbox.chance import fraction, mix
from crm_assets.sandbox.listing import Entry, Listing

WORDS = SimpleNamespace(**yaml.safe_load(Path(__file__).with_name("words.yaml").read_bytes()))
"""The words of the CRM."""

FIRST_USER_ID = 402_000_017_001
STAGE_ID = 402_000_150_567  # of every deal
INDUSTRY_ID = 402_000_061_001  # of the first trade; the others are consecutive
CHOICES = {
    "deal_stages": [{"id": STAGE_ID, "name": "Won", "position": 6, "forecast_type": "Closed Won"}],
    "industry_types": [
        {"id": INDUSTRY_ID + n, "name": trade, "position": n + 1} for n, trade in enumerate(WORDS.trades)
    ],
}
ARRAYS = ("sales_accounts", "users", *CHOICES)  # that can be side-loaded

FIRST, LAST, TRADE, FORM, ACCOUNT, CONTACT, OWNER = range(101, 108)
FIRST_NAMES, LAST_NAMES, STREETS, USERS = 2_000, 1_000, 500, 8
UNASSIGNED, WITHOUT_ACCOUNT = 0.05, 0.1  # shares of the records


class Links:
    """Names people and companies, and links records. Both depend on a record's seed, so they never change.

    Links lead only to records that never leave their list, so that no link is broken.

    Attributes:
        users: The users, as the API side-loads them.
        streets: Names of streets.
    """

    def __init__(self, seed: int, accounts: Listing, contacts: Listing) -> None:
        """Draws all names once: a name takes longer than the rest of a record."""
        self._accounts, self._contacts = accounts, contacts
        person, address = Person(Locale.EN, seed=seed), Address(Locale.EN, seed=seed)
        self._first = [person.first_name() for _ in range(FIRST_NAMES)]
        self._last = [person.last_name() for _ in range(LAST_NAMES)]
        self.streets = [address.street_name() for _ in range(STREETS)]
        self.users: list[dict[str, Any]] = []
        for number in range(USERS):
            first, last = self.person(mix(seed, number))
            user = {"id": FIRST_USER_ID + number, "display_name": f"{first} {last}", "is_active": True}
            email = f"{first}.{last}@crm-sandbox.example".lower()
            self.users.append({**user, "email": email, "work_number": None, "mobile_number": None})

    def person(self, seed: int) -> tuple[str, str]:
        """The first and the last name of the person with a seed."""
        return self._first[mix(seed, FIRST) % FIRST_NAMES], self._last[mix(seed, LAST) % LAST_NAMES]

    def company(self, seed: int) -> str:
        """The name of the company with a seed, such as `Bauer Logistics GmbH`."""
        last = self._last[mix(seed, LAST) % LAST_NAMES]
        return f"{last} {WORDS.trades[self.trade(seed)]} {WORDS.forms[mix(seed, FORM) % len(WORDS.forms)]}"

    def trade(self, seed: int) -> int:
        """The index of a company's trade."""
        return mix(seed, TRADE) % len(WORDS.trades)

    def owner_id(self, entry: Entry) -> int | None:
        """The id of the user who owns a record; a few records have no owner."""
        draw = fraction(entry.seed, OWNER)
        return None if draw < UNASSIGNED else FIRST_USER_ID + int(USERS * draw**2)

    def account(self, entry: Entry) -> Entry | None:
        """The account of a contact or a deal; a few have none."""
        if fraction(entry.seed, ACCOUNT, 1) < WITHOUT_ACCOUNT:
            return None
        return _pick(self._accounts, fraction(entry.seed, ACCOUNT))

    def parent_id(self, entry: Entry) -> int | None:
        """The id of the parent of an account; None without one."""
        parent = self.account(entry)
        return parent.id if parent and parent.id != entry.id else None

    def contact(self, entry: Entry) -> Entry | None:
        """The contact of a task or an appointment."""
        return _pick(self._contacts, fraction(entry.seed, CONTACT))

    def included(self, entry: Entry, wanted: frozenset[str]) -> dict[str, Any]:
        """The fields that `include=` adds to a record."""
        fields: dict[str, Any] = {}
        if wanted & {"sales_account", "sales_accounts"}:
            account = self.account(entry)
            fields["sales_account_id"] = account and account.id
            if "sales_accounts" in wanted:
                fields["sales_accounts"] = [self._partial(account)] if account else []
        if "owner" in wanted:
            fields["owner_id"] = self.owner_id(entry)
        if "industry_type" in wanted:
            fields["industry_type_id"] = INDUSTRY_ID + self.trade(entry.seed)
        return fields

    def side_loaded(self, array: str, entries: Sequence[Entry]) -> list[dict[str, Any]]:
        """The side-loaded array of this name for the records of a page."""
        if array == "users":
            owners = {self.owner_id(entry) or FIRST_USER_ID for entry in entries}
            return [user for user in self.users if user["id"] in owners]
        if array == "sales_accounts":
            accounts = {account.id: account for account in map(self.account, entries) if account}
            return [self._partial(account) for account in accounts.values()]
        return CHOICES[array]

    def _partial(self, account: Entry) -> dict[str, Any]:
        """The short form in which the API side-loads an account."""
        name = self.company(account.seed)
        nulls: dict[str, Any] = {"avatar": None, "last_contacted": None}
        return {"partial": True, "id": account.id, "name": name, "website": f"https://{domain(name)}", **nulls}


def _pick(listing: Listing, draw: float) -> Entry | None:
    """Picks a record that never leaves its list. Squaring the draw gives a few of them most of the business."""
    return listing.entries[int(listing.lasting * draw**2)] if listing.lasting else None


def domain(company: str) -> str:
    """A company's Internet domain, in the top-level domain reserved for examples."""
    return "-".join(company.lower().replace("&", "and").split()) + ".example"
