"""The CRM's API as data: the words it uses, and its lists. The one place where resources differ.

The facts come from public clients, captured answers and the vendor's documentation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

ID = "id"
"""The field that tells a list's records apart: a 64-bit integer."""

UPDATED_AT = "updated_at"
"""The field that tells when a record was changed last."""

PAGE = "page"
"""The query parameter for the number of a page, counted from 1."""

PER_PAGE = "per_page"
"""The query parameter for the records a page."""

NEWEST_FIRST: Mapping[str, str] = MappingProxyType({"sort": UPDATED_AT, "sort_type": "desc"})
"""Query parameters that ask for the records changed last."""

INCLUDE = "include"
"""The query parameter for what is to be sent along with records, separated by commas."""

META, TOTAL = "meta", "total"
"""Where an answer tells how many records the whole list has. It may be absent."""


@dataclass(frozen=True)
class Link:
    """How the records of a list tell whose they are.

    Attributes:
        to: What they belong to: accounts or owners.
        fields: Any of these tells it.
        include: What has to be sent along for it; None where plain lists tell it, or no list does.
    """

    to: str
    fields: tuple[str, ...]
    include: str | None = None


@dataclass(frozen=True)
class Endpoint:
    """Where one resource is served, when it is read, and what its records point at.

    Attributes:
        path: Path below the API's base URL.
        data_selector: Top-level key of the answer that holds the array of records.
        minute: Minute of every hour at which its schedule reads what changed; another one for each resource.
        links: Whose its records are. Tasks and appointments name their targets, which lead to accounts.
        side_loads: `include` -> the array that it brings beside the records, with the names that models show.
    """

    path: str
    data_selector: str
    minute: int
    links: tuple[Link, ...] = ()
    side_loads: Mapping[str, str] = field(default_factory=dict)

    @property
    def includes(self) -> list[str]:
        """All that links the records, and gives names to what they point at."""
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
