"""Whether answers tell whose the records are, and what would make the API tell: links to accounts and owners, names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm_assets.source.api import ENDPOINTS, INCLUDE, Link
from crm_assets.source.http.page import Page


@dataclass(frozen=True)
class Linked:
    """How many of some records are linked.

    Attributes:
        records: How many were looked at.
        linked: How many of them name the account or the owner that they belong to.
        include: The `include` that would have them named, if one is known and not asked for yet.
    """

    records: int
    linked: int
    include: str | None


def count_links(resource: str, records: Sequence[Any], params: Mapping[str, Any]) -> dict[str, Linked]:
    """What is linked to (`accounts`, `owners`) -> how many of the records are. `params`: the list's own parameters."""
    asked = includes(params)
    return {
        link.to: Linked(
            records=len(records),
            linked=sum(_has(record, link) for record in records),
            include=link.include if link.include not in asked else None,
        )
        for link in ENDPOINTS[resource].links
    }


def missing_arrays(resource: str, pages: Sequence[Page], params: Mapping[str, Any]) -> dict[str, str]:
    """Arrays with names that no answer carried -> the `include` that brings them. Only those not asked for yet."""
    carried = {name for page in pages for name in page.side_loaded}
    asked = includes(params)
    seen_any = any(page.records for page in pages)
    return {
        array: include
        for include, array in ENDPOINTS[resource].side_loads.items()
        if seen_any and array not in carried and include not in asked
    }


def includes(params: Mapping[str, Any]) -> list[str]:
    """What the list's parameters ask to be sent along."""
    return [name.strip() for name in str(params.get(INCLUDE, "")).split(",") if name.strip()]


def _has(record: Any, link: Link) -> bool:
    return isinstance(record, dict) and any(record.get(name) not in (None, "", [], {}) for name in link.fields)
