"""The CRM's API as data: the words it uses, and its five lists. The one place where resources differ.

The facts come from public clients, captured answers and the vendor's documentation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
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

META, TOTAL = "meta", "total"
"""Where an answer tells how many records the whole list has. It may be absent."""


@dataclass(frozen=True)
class Endpoint:
    """Where one resource is served.

    Attributes:
        path: Path below the API's base URL.
        data_selector: Top-level key of the answer that holds the array of records.
    """

    path: str
    data_selector: str


ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    {
        "accounts": Endpoint("/v1/accounts", "sales_accounts"),
        "contacts": Endpoint("/v1/contacts", "contacts"),
        "won_deals": Endpoint("/v1/deals", "deals"),
        "open_tasks": Endpoint("/v1/tasks", "tasks"),
        "past_appointments": Endpoint("/v1/appointments", "appointments"),
    }
)
"""Resource name -> endpoint, in the order in which the resources are shown and run."""
