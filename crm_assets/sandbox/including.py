"""What ``include=`` adds to an answer."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from crm_assets.sandbox.links import Links
from crm_assets.sandbox.resources import Resource
from crm_assets.sandbox.slots import Entry

_OWNER = "owner"


class Included(NamedTuple):
    """The additions to a page.

    Attributes:
        fields: For each record the fields that it gets.
        arrays: The side-loaded arrays that the answer gets.
    """

    fields: list[dict[str, Any]]
    arrays: dict[str, list[dict[str, Any]]]


def included(resource: Resource, wanted: frozenset[str], entries: Sequence[Entry], links: Links) -> Included | None:
    """Collect what is wanted of a page's records; names that mean nothing to the list add nothing.

    Args:
        resource: The list.
        wanted: The names in the request.
        entries: The page's records.
        links: Finds their accounts and owners.
    """
    account_name, place = resource.account_include or (None, None)
    if not wanted & {account_name, _OWNER} or not account_name:
        return None
    answer = Included([{} for _ in entries], {})
    if account_name in wanted:
        accounts = [links.account(entry) for entry in entries]
        for fields, account in zip(answer.fields, accounts, strict=True):
            fields["sales_account_id"] = account.id if account else None
            if place == "record":
                fields["sales_accounts"] = [links.partial_account(account)] if account else []
        if place == "answer":
            distinct = {account.id: account for account in accounts if account}
            answer.arrays["sales_accounts"] = [links.partial_account(account) for account in distinct.values()]
    if _OWNER in wanted:
        owners = [links.owner_id(entry) for entry in entries]
        for fields, owner_id in zip(answer.fields, owners, strict=True):
            fields["owner_id"] = owner_id
        answer.arrays["users"] = [links.user(owner_id) for owner_id in sorted({*filter(None, owners)})]
    return answer
