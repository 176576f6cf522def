"""Whether records are linked to accounts and owners, whether names are side-loaded, and which `include` adds them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm_assets.api import ENDPOINTS, INCLUDE, Link
from crm_assets.source.http.page import Page


@dataclass(frozen=True)
class Linked:
    """How many records are linked to an account or an owner.

    Attributes:
        records: Records looked at.
        linked: How many of them are linked.
        include: The `include` that would link them; None if none is known, or it is already set.
    """

    records: int
    linked: int
    include: str | None


def count_links(resource: str, records: Sequence[Any], params: Mapping[str, Any]) -> dict[str, Linked]:
    """`accounts` or `owners` -> how many of the records are linked to them. `params`: the list's query parameters."""
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
    """Side-loaded array that no answer has -> the `include` that adds it. Only those that are not set yet."""
    carried = {name for page in pages for name in page.side_loaded}
    asked = includes(params)
    seen_any = any(page.records for page in pages)
    return {
        array: include
        for include, array in ENDPOINTS[resource].side_loads.items()
        if seen_any and array not in carried and include not in asked
    }


def includes(params: Mapping[str, Any]) -> list[str]:
    """The values of `include` in a list's parameters."""
    return [name.strip() for name in str(params.get(INCLUDE, "")).split(",") if name.strip()]


def _has(record: Any, link: Link) -> bool:
    return isinstance(record, dict) and any(record.get(name) not in (None, "", [], {}) for name in link.fields)
