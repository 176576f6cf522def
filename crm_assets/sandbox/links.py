"""Who belongs to whom: the owners, and the accounts and contacts that other records point at.

Only records that never leave their list are pointed at, so that no pointer ever dangles.
"""

from typing import Any, Final

from crm_assets.sandbox.chance import fraction, mix
from crm_assets.sandbox.listing import Listing
from crm_assets.sandbox.names import Names
from crm_assets.sandbox.slots import Entry
from crm_assets.sandbox.words import domain

OWNERS: Final = 8
FIRST_OWNER_ID: Final = 402_000_017_001

_ACCOUNT, _CONTACT, _OWNER = range(201, 204)
_COMPANY_OF_OWNERS = "Crm Sandbox"
_UNASSIGNED: Final = 0.05
_WITHOUT_ACCOUNT: Final = 0.1


class Links:
    """Finds what a record points at. A record's seed decides, for its whole life."""

    def __init__(self, seed: int, accounts: Listing, contacts: Listing, names: Names) -> None:
        """Link records to the lasting ones of two lists.

        Args:
            seed: The seed of the world; it names the owners.
            accounts: The list of accounts.
            contacts: The list of contacts.
            names: Names companies and people.
        """
        self._names = names
        self._accounts = accounts
        self._contacts = contacts
        self.users = [_user(FIRST_OWNER_ID + number, *names.person(mix(seed, number))) for number in range(OWNERS)]

    def owner_id(self, entry: Entry) -> int | None:
        """Give the id of the user a record is assigned to; a few are assigned to nobody."""
        draw = fraction(entry.seed, _OWNER)
        if draw < _UNASSIGNED:
            return None
        return FIRST_OWNER_ID + int(OWNERS * draw**2)

    def user(self, owner_id: int) -> dict[str, Any]:
        """Give the user with an id, as the API side-loads it."""
        return self.users[owner_id - FIRST_OWNER_ID]

    def account(self, entry: Entry) -> Entry | None:
        """Give the account of a contact or a deal; a few have none."""
        if fraction(entry.seed, _ACCOUNT, 1) < _WITHOUT_ACCOUNT:
            return None
        return _pick(self._accounts, fraction(entry.seed, _ACCOUNT))

    def contact(self, entry: Entry) -> Entry | None:
        """Give the contact whom a task or an appointment is about."""
        return _pick(self._contacts, fraction(entry.seed, _CONTACT))

    def partial_account(self, account: Entry) -> dict[str, Any]:
        """Give the short form in which the API side-loads an account."""
        name = self._names.company(account.seed)
        return {
            "partial": True,
            "id": account.id,
            "name": name,
            "avatar": None,
            "website": f"https://{domain(name)}",
            "last_contacted": None,
        }


def _pick(listing: Listing, draw: float) -> Entry | None:
    """Pick a lasting record; squaring the draw gives a few of them most of the business."""
    lasting = listing.slots.lasting
    return listing.entries[int(lasting * draw**2)] if lasting else None


def _user(user_id: int, first_name: str, last_name: str) -> dict[str, Any]:
    return {
        "id": user_id,
        "display_name": f"{first_name} {last_name}",
        "email": f"{first_name}.{last_name}@{domain(_COMPANY_OF_OWNERS)}".lower(),
        "is_active": True,
        "work_number": None,
        "mobile_number": None,
    }
