"""The CRM's API as data: its parameter names and its lists. The only place where resources differ.

The facts come from public clients, captured answers and the vendor's documentation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from types import MappingProxyType

from crm_assets.errors import SchemaRefused

ID = "id"
"""The field that identifies a record within its list: a 64-bit integer."""

UPDATED_AT = "updated_at"
"""The field with the time of a record's last change."""

PAGE = "page"
"""The query parameter for the page number, counted from 1."""

PER_PAGE = "per_page"
"""The query parameter for the number of records per page."""

NEWEST_FIRST: Mapping[str, str] = MappingProxyType({"sort": UPDATED_AT, "sort_type": "desc"})
"""Query parameters that ask for the most recently changed records first."""

INCLUDE = "include"
"""The query parameter for related data to send along with records, separated by commas."""

META, TOTAL, TOTAL_PAGES = "meta", "total", "total_pages"
"""Keys of the total numbers of records and of pages in the list. An answer may not have them."""


@dataclass(frozen=True)
class Link:
    """How the records of a list are linked to accounts or owners.

    Attributes:
        to: What they are linked to: `accounts` or `owners`.
        fields: A record that has any of these fields is linked.
        include: The `include` that makes the API send these fields; None if none is needed, or none is known.
    """

    to: str
    fields: tuple[str, ...]
    include: str | None = None


@dataclass(frozen=True)
class Endpoint:
    """Where one resource is served, and what its records are linked to.

    Attributes:
        path: Path below the API's base URL.
        data_selector: The answer's top-level key for the array of records.
        links: Links to accounts and owners. Tasks and appointments name targets, which lead to accounts.
        side_loads: `include` -> the side-loaded array that it adds to an answer.
    """

    path: str
    data_selector: str
    links: tuple[Link, ...] = ()
    side_loads: Mapping[str, str] = field(default_factory=dict)

    @property
    def includes(self) -> list[str]:
        """Every `include` that links the records or side-loads names."""
        links = [link.include for link in self.links if link.include]
        return list(dict.fromkeys([*links, *self.side_loads]))


LOG_TABLES = ("sync_log", "sync_details", "sync_changes", "unconfirmed_reads", "rejected_records", "dropped_fields")
"""The tables with rows for each read of a list."""

OWN_TABLES = (*LOG_TABLES, "side_loaded", "load_counter", "forgotten", "personal_data_policy", "model_builds")
"""The tables beside those of the lists that the project writes in the same schema."""


def check_lists(endpoints: Mapping[str, Endpoint]) -> None:
    """Checks names and addresses. Lists may share a data selector, but not the path as well: both would be the same.

    Called when a list is used, not at import, so that the message comes without a traceback.

    Raises:
        SchemaRefused: Two of them are the same, or a name is not one that a table, an asset and a setting can have.
    """
    for name in endpoints:
        if not re.fullmatch(r"[a-z][a-z\d_]*", name):
            raise SchemaRefused(
                f"{name!r} in api.py: name a list with lower-case letters, digits and _, a letter first"
            )
        if name in {*OWN_TABLES, "since"}:  # present.since is a view
            raise SchemaRefused(f"{name} in api.py cannot be the name of a list, as a table of the project has it")
    for (name, one), (other, another) in combinations(endpoints.items(), 2):
        if (one.path, one.data_selector) == (another.path, another.data_selector):
            raise SchemaRefused(
                f"{name} and {other} in api.py are the same list: both read {one.data_selector} of {one.path}. "
                "Give each its own path"
            )


_OWNERS = Link("owners", ("owner_id",), "owner")
_TARGETS = Link("accounts", ("targetables", "targetable_id"))

ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    {
        "accounts": Endpoint(
            "/v1/accounts", "sales_accounts", (_OWNERS,), {"owner": "users", "industry_type": "industry_types"}
        ),
        "contacts": Endpoint(
            "/v1/contacts",
            "contacts",
            (Link("accounts", ("sales_account_id", "sales_accounts"), "sales_accounts"), _OWNERS),
            {"owner": "users"},
        ),
        "won_deals": Endpoint(
            "/v1/deals",
            "deals",
            (Link("accounts", ("sales_account_id",), "sales_account"), _OWNERS),
            {"owner": "users", "deal_stage": "deal_stages"},
        ),
        "open_tasks": Endpoint("/v1/tasks", "tasks", (_TARGETS, _OWNERS), {"owner": "users"}),
        "past_appointments": Endpoint("/v1/appointments", "appointments", (_TARGETS,), {"creater": "users"}),
    }
)
"""Resource name -> endpoint, in the order in which the resources are shown and run."""
