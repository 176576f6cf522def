"""The CRM's API as data: its parameter names and its lists. The only place where resources differ.

The facts come from public clients, captured answers and the vendor's documentation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

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

META, TOTAL = "meta", "total"
"""Keys of the total number of records in the list. An answer may not have them."""


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
    """Where one resource is served, when it is read, and what its records are linked to.

    Attributes:
        path: Path below the API's base URL.
        data_selector: The answer's top-level key for the array of records.
        minute: The minute of the hour at which its schedule starts an incremental read; different for each resource.
        links: Links to accounts and owners. Tasks and appointments name targets, which lead to accounts.
        side_loads: `include` -> the side-loaded array that it adds to an answer.
    """

    path: str
    data_selector: str
    minute: int
    links: tuple[Link, ...] = ()
    side_loads: Mapping[str, str] = field(default_factory=dict)

    @property
    def includes(self) -> list[str]:
        """Every `include` that links the records or side-loads names."""
        links = [link.include for link in self.links if link.include]
        return list(dict.fromkeys([*links, *self.side_loads]))


_OWNERS = Link("owners", ("owner_id",), "owner")
_TARGETS = Link("accounts", ("targetables", "targetable_id"))

ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    {
        "accounts": Endpoint(
            "/v1/accounts",
            "sales_accounts",
            minute=0,
            links=(_OWNERS,),
            side_loads={"owner": "users", "industry_type": "industry_types"},
        ),
        "contacts": Endpoint(
            "/v1/contacts",
            "contacts",
            minute=12,
            links=(Link("accounts", ("sales_account_id", "sales_accounts"), "sales_accounts"), _OWNERS),
            side_loads={"owner": "users"},
        ),
        "won_deals": Endpoint(
            "/v1/deals",
            "deals",
            minute=24,
            links=(Link("accounts", ("sales_account_id",), "sales_account"), _OWNERS),
            side_loads={"owner": "users", "deal_stage": "deal_stages"},
        ),
        "open_tasks": Endpoint(
            "/v1/tasks",
            "tasks",
            minute=36,
            links=(_TARGETS, _OWNERS),
            side_loads={"owner": "users"},
        ),
        "past_appointments": Endpoint(
            "/v1/appointments",
            "appointments",
            minute=48,
            links=(_TARGETS,),
            side_loads={"creater": "users"},
        ),
    }
)
"""Resource name -> endpoint, in the order in which the resources are shown and run."""
