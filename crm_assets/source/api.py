"""The five resources of the CRM: where each is served and what its API can do. The one place where they differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Endpoint:
    """Where and how one resource is served.

    Attributes:
        path: Path below the API's base URL.
        data_selector: Top-level key of the answer that holds the array of records.
        summary: What a record is, for the catalog.
        sandbox_params: Extra query parameters asked of the bundled sandbox, so that its records carry the foreign
            keys which plain lists leave out.
    """

    path: str
    data_selector: str
    summary: str
    sandbox_params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    {
        "accounts": Endpoint("/v1/accounts", "sales_accounts", "Companies the sales team works with"),
        "contacts": Endpoint(
            "/v1/contacts", "contacts", "People at those companies", {"include": "sales_accounts,owner"}
        ),
        "won_deals": Endpoint("/v1/deals", "deals", "Deals that were won", {"include": "sales_account,owner"}),
        "open_tasks": Endpoint("/v1/tasks", "tasks", "Tasks that are not done yet"),
        "past_appointments": Endpoint("/v1/appointments", "appointments", "Appointments that took place"),
    }
)
"""Resource name -> endpoint, in the order in which the resources are shown and run."""
